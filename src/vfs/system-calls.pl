# Makes the system calls on user files that Node.js has no function for; for system-calls.ts, which waits for each. It needs nothing beyond perl-base.
#
#   perl system-calls.pl PID      PID: the server, whose descriptors are named in paths as /proc/self/fd/N
#
# It forks the process that serves, prints the number of that and those of two descriptors it holds for the server to open by /proc (the end of a pipe that requests go into, and
# that of one that answers come from), and ends. Pipes have no names, so nothing is left of them when either process is killed. A request is four bytes that count the rest (big-endian), then the
# call and its words, separated by NUL; what may hold a NUL comes last. The answer is such a count too, four bytes with an errno (0: done), and the result.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_RDWR O_WRONLY);
use POSIX ();

# System calls by number (asm/unistd_64.h, asm-generic/unistd.h).
my %numbers = (
    x86_64 => {
        mknodat => 259, utimensat => 280, fallocate => 285, lseek => 8, linkat => 265, renameat2 => 316, copy_file_range => 326,
        setxattr => 188, lsetxattr => 189, getxattr => 191, lgetxattr => 192, listxattr => 194, llistxattr => 195, removexattr => 197, lremovexattr => 198,
    },
    aarch64 => {
        mknodat => 33, utimensat => 88, fallocate => 47, lseek => 62, linkat => 37, renameat2 => 276, copy_file_range => 285,
        setxattr => 5, lsetxattr => 6, getxattr => 8, lgetxattr => 9, listxattr => 11, llistxattr => 12, removexattr => 14, lremovexattr => 15,
    },
);
my $call = $numbers{ (POSIX::uname())[4] } or exit 95;
# Of what the server was started with, its connection to the kernel say, nothing goes on to this process.
opendir(my $descriptors, '/proc/self/fd') or exit 1;
my @inherited = grep { /^\d+$/ && $_ > 2 } readdir $descriptors;
closedir $descriptors;
POSIX::close($_) for @inherited;

my ($at_fdcwd, $at_symlink_nofollow, $at_symlink_follow) = (-100, 0x100, 0x400);
my ($server) = @ARGV;
my $xattr_size_max = 65536; # linux/limits.h

# Calls by name. Each gets its words and returns what the kernel did: less than 0 with $! for a failure, or the result.
my %calls = (
    mknod => sub { my ($path, $mode) = @_; syscall($call->{mknodat}, $at_fdcwd, $path, $mode + 0, 0) },
    # Times as seconds and nanoseconds (UTIME_OMIT and UTIME_NOW among them), of a link itself.
    utimens => sub { my ($path, @times) = @_; syscall($call->{utimensat}, $at_fdcwd, $path, pack('q4', @times), is_descriptor($path) ? 0 : $at_symlink_nofollow) },
    link => sub { my ($from, $to) = @_; syscall($call->{linkat}, $at_fdcwd, $from, $at_fdcwd, $to, is_descriptor($from) ? $at_symlink_follow : 0) },
    rename => sub { my ($from, $to, $flags) = @_; syscall($call->{renameat2}, $at_fdcwd, $from, $at_fdcwd, $to, $flags + 0) },
    fallocate => sub {
        my ($path, $mode, $offset, $length) = @_;
        sysopen(my $file, $path, O_RDWR) or return -1;
        syscall($call->{fallocate}, fileno $file, $mode + 0, $offset + 0, $length + 0);
    },
    seek => sub {
        my ($path, $offset, $whence) = @_;
        sysopen(my $file, $path, O_RDONLY) or return -1;
        syscall($call->{lseek}, fileno $file, $offset + 0, $whence + 0);
    },
    copy => sub {
        my ($from, $from_offset, $to, $to_offset, $length) = @_;
        sysopen(my $in, $from, O_RDONLY) && sysopen(my $out, $to, O_WRONLY) or return -1;
        syscall($call->{copy_file_range}, fileno $in, pack('q', $from_offset), fileno $out, pack('q', $to_offset), $length + 0, 0);
    },
    setxattr => sub { my ($path, $name, $flags, $value) = @_; syscall(call_for('setxattr', $path), $path, $name, $value, length $value, $flags + 0) },
    removexattr => sub { my ($path, $name) = @_; syscall(call_for('removexattr', $path), $path, $name) },
    getxattr => sub { my ($path, $name) = @_; filled(call_for('getxattr', $path), $path, $name) },
    listxattr => sub { my ($path) = @_; filled(call_for('listxattr', $path), $path) },
);
# How many words a call has; the last may hold NULs.
my %words = (mknod => 2, utimens => 5, link => 2, rename => 3, fallocate => 4, seek => 3, copy => 5, setxattr => 4, removexattr => 2, getxattr => 2, listxattr => 1);

# A path through a descriptor is followed to the file itself, any other is of a name, which may be a link's.
sub is_descriptor { return $_[0] =~ m{^/proc/\d+/fd/\d+$} }
sub call_for { my ($name, $path) = @_; return $call->{ is_descriptor($path) ? $name : "l$name" } }

# The bytes that a call puts into a buffer.
sub filled {
    my ($number, @arguments) = @_;
    my $buffer = "\0" x $xattr_size_max;
    my $length = syscall($number, @arguments, $buffer, length $buffer);
    return $length < 0 ? -1 : \substr $buffer, 0, $length;
}

sub serve {
    while (1) {
        my $request = take(unpack 'N', take(4));
        my ($name, $rest) = split /\0/, $request, 2;
        my @words = split /\0/, $rest, $words{$name};
        s{^/proc/self/}{/proc/$server/} for @words;
        my $result = $calls{$name}->(@words);
        my $failed = !ref $result && $result < 0;
        answer($failed ? $! + 0 : 0, $failed ? '' : ref $result ? $$result : $result);
    }
}

sub answer {
    my ($errno, $result) = @_;
    my $answer = pack('N N', 4 + length $result, $errno) . $result;
    for (my $sent = 0; $sent < length $answer;) { $sent += syswrite(STDOUT, $answer, length($answer) - $sent, $sent) // exit 0 }
}

# Ends when the server has ended.
sub take {
    my ($wanted) = @_;
    my $taken = '';
    while (length $taken < $wanted) { sysread(STDIN, $taken, $wanted - length $taken, length $taken) or exit 0 }
    return $taken;
}

pipe(my $requests, my $requests_in) && pipe(my $replies_out, my $replies) or exit 1;
defined(my $child = fork) or exit 1;
if ($child > 0) {
    print join(' ', $child, fileno $requests_in, fileno $replies_out), "\n";
    exit 0;
}
POSIX::setsid();
chdir '/';
open(STDIN, '<&', $requests) && open(STDOUT, '>&', $replies) && open(STDERR, '>', '/dev/null') or exit 1;
alarm 30; # for a server that ends before it asks for anything
vec(my $readable = '', 0, 1) = 1;
select $readable, undef, undef, undef;
alarm 0;
close $_ for $requests, $requests_in, $replies_out, $replies;
serve();
