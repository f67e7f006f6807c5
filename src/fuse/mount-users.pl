# Prints the pids of the processes that have something of a file system open, mapped, or as a directory they are in, in whatever mount
# namespace, a line each. Run by mount-users.ts, by perl-base alone.
#
# Argument: the device of the file system, MAJOR:MINOR.
#
# Nothing is asked of the file systems that are looked at (AT_STATX_DONT_SYNC): the server of one may be dead, or be who waits for this.
use strict;
use warnings;
use POSIX ();

# statx(2) by number (asm/unistd_64.h, asm-generic/unistd.h), and where struct statx has its device.
my $statx = { x86_64 => 332, aarch64 => 291 }->{ (POSIX::uname())[4] } or die "statx: not known for this processor\n";
my ($at_fdcwd, $dont_sync, $bytes, $device_at) = (-100, 0x4000, 256, 136);

my ($major, $minor) = split /:/, $ARGV[0];
my $mapped = sprintf ' %02x:%02x ', $major, $minor;

sub is_on_device {
    my ($path) = @_;
    my $found = "\0" x $bytes;
    return syscall($statx, $at_fdcwd, $path, $dont_sync, 0, $found) == 0 && join(':', unpack "x$device_at L2", $found) eq "$major:$minor";
}

sub maps_device {
    open my $maps, '<', "$_[0]/maps" or return 0;
    while (<$maps>) { return 1 if index($_, $mapped) >= 0 }
    return 0;
}

for my $process (glob '/proc/[0-9]*') {
    my @paths = (glob("$process/task/[0-9]*/{cwd,root}"), glob "$process/fd/*");
    print $process =~ s{.*/}{}r, "\n" if grep({ is_on_device($_) } @paths) || maps_device($process);
}
