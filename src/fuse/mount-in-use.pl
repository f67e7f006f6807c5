# Asks the kernel whether a mount could be unmounted now. Run by mount-in-use.ts, by perl-base alone.
#
# Argument: the mountpoint. Exit status: 0 it could be, 1 it is in use, 2 that is not known.
#
# umount2(2) with MNT_EXPIRE does not unmount what was used since it was last asked so: it says EBUSY or EAGAIN.
use strict;
use warnings;
use Errno qw(EAGAIN EBUSY);
use POSIX ();

my ($mnt_expire, $path) = (4, $ARGV[0]);
my $umount2 = { x86_64 => 166, aarch64 => 39 }->{ (POSIX::uname())[4] } or exit 2;

# What only looks at the mount for a moment lets go of it again.
for (1 .. 5) {
    lstat $path; # using it takes the mark of an earlier question away
    exit 2 if syscall($umount2, $path, $mnt_expire) == 0;
    exit 0 if $! == EAGAIN;
    exit 2 if $! != EBUSY;
    select undef, undef, undef, 0.05;
}
exit 1;
