# Makes the layer that stands between guests and the machine's root, for machine-layer.ts: machine-layer.pl DIRECTORY NAME... mounts a tmpfs there, makes `layer` in it, and `whole` last. An overlay of
# it on / (Documentation/filesystems/overlayfs.rst) has
#
#   what is named                 as the machine has it: /usr and what is part of it
#   /etc                          copies of the files that anybody on the machine may read
#   /var                          its directories and links, with no files in them; /var/lib/dpkg as the machine has it
#   /home, /srv and the like      empty
#
# and nothing else: no file of the machine that only root may read, and no socket.
#
# It reads where root alone may write, so that no name is exchanged for another meanwhile.
use strict;
use warnings;
use Errno qw(EEXIST ENOENT);
use Fcntl qw(:mode O_CREAT O_EXCL O_NOFOLLOW O_NONBLOCK O_RDONLY O_WRONLY);
use POSIX ();

# System calls by number (asm/unistd_64.h, asm-generic/unistd.h).
my %numbers = (
    x86_64 => { mount => 165, mknodat => 259, setxattr => 188 },
    aarch64 => { mount => 40, mknodat => 33, setxattr => 5 },
);
my $call = $numbers{ (POSIX::uname())[4] } or die "this processor is not known\n";
my ($ms_nosuid, $ms_noexec, $at_fdcwd) = (2, 8, -100);

my %empty = (map({ $_ => 0755 } qw(boot dev home media mnt opt proc run srv sys)), root => 0700, tmp => 01777);
my $packages = '/var/lib/dpkg';
# Of larger files, of more files than that, and of what is in more directories, programs need nothing to start.
my ($most_bytes, $room, $most_directories) = (1024 * 1024, 64 * 1024 * 1024, 4096);
my $directories = 0;

my ($directory, @live) = @ARGV;
my %live = map { $_ => 1 } @live;
umask 0;
mkdir $_, 0700 for $directory =~ s{/[^/]*$}{}r, $directory;
my ($type, $options) = ('tmpfs', 'mode=755,size=128m');
syscall($call->{mount}, $type, $directory, $type, $ms_nosuid | $ms_noexec, $options) == 0 or die "mount of a tmpfs: $!\n";
chdir $directory or die "$directory: $!\n";
mkdir $_, 0755 or die "$_: $!\n" for 'layer', map { "layer$_" } qw(/etc /var /var/lib), $packages;
make_top();
mark("layer/$_", 'opaque', 'y') for qw(etc var);
copy('/etc', 1);
copy('/var', 0);
mark("layer$packages", 'redirect', $packages);
mkdir 'whole' or die "whole: $!\n";

# What else the machine has at the top is not to be seen.
sub make_top {
    for my $name (sort keys %empty) {
        mkdir "layer/$name", $empty{$name} or die "$name: $!\n";
        mark("layer/$name", 'opaque', 'y');
    }
    for my $name (names('/')) {
        next if $live{$name} || -e "layer/$name";
        my ($whiteout, $kind, $device) = ("layer/$name", S_IFCHR, 0);
        syscall($call->{mknodat}, $at_fdcwd, $whiteout, $kind, $device) == 0 or die "$name: $!\n";
    }
}

# An attribute of overlay(5).
sub mark {
    my ($path, $name, $value) = @_;
    my $attribute = "trusted.overlay.$name";
    syscall($call->{setxattr}, $path, $attribute, $value, length $value, 0) == 0 or die "$name of $path: $!\n";
}

# Directories and symbolic links, and of what is small and for anybody to read, if wanted, the files.
sub copy {
    my ($top, $with_files) = @_;
    my @left = ($top);
    while (defined(my $from = shift @left)) {
        for my $path (map { "$from/$_" } names($from)) {
            my @stat = lstat $path or gone($path) && next;
            my $mode = $stat[2];
            if (S_ISDIR($mode)) { push @left, $path if make_directory($path, \@stat) }
            elsif (S_ISLNK($mode)) { symlink readlink($path) // next, "layer$path" or die "$path: $!\n" }
            elsif ($with_files && S_ISREG($mode) && $mode & S_IROTH) { copy_file($path) }
        }
    }
}

# True when what is in it is to be copied too: when anybody may look into the machine's, and root alone can change it.
sub make_directory {
    my ($path, $stat) = @_;
    my ($mode, $user, $group) = @$stat[2, 4, 5];
    mkdir "layer$path" or $! == EEXIST or die "$path: $!\n";
    own("layer$path", $stat);
    return 0 if $path eq $packages || ++$directories > $most_directories;
    my $only_root = $user == 0 && !($mode & S_IWOTH) && ($group == 0 || !($mode & S_IWGRP));
    return $only_root && ($mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH);
}

# It may have changed since it was listed: what counts is what is open.
sub copy_file {
    my ($path) = @_;
    sysopen(my $in, $path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) or return gone($path);
    my @stat = stat $in;
    return if !S_ISREG($stat[2]) || !($stat[2] & S_IROTH) || $stat[7] > $most_bytes || $stat[7] > $room;
    $room -= sysread($in, my $text, $stat[7]) // die "$path: $!\n";
    sysopen(my $out, "layer$path", O_WRONLY | O_CREAT | O_EXCL, 0600) or die "$path: $!\n";
    syswrite($out, $text) // die "$path: $!\n" if $text ne '';
    close $out;
    own("layer$path", \@stat);
}

sub own {
    my ($path, $stat) = @_;
    chown $stat->[4], $stat->[5], $path or die "$path: $!\n";
    chmod $stat->[2] & 01777, $path or die "$path: $!\n";
    utime $stat->[8], $stat->[9], $path;
}

# Whoever removes a file while this reads may do so.
sub gone {
    my ($path) = @_;
    return 1 if $! == ENOENT;
    die "$path: $!\n";
}

sub names {
    my ($path) = @_;
    opendir(my $handle, $path) or die "$path: $!\n";
    return grep { $_ ne '.' && $_ ne '..' } readdir $handle;
}
