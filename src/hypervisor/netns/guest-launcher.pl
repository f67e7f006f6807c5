# Starts guests, for launcher.ts. It runs from the machine's root, with the machine's own perl and the modules of perl-base, and makes
# the system calls itself: a guest costs two forks, and one program (ip) when it has ports.
#
# Requests come on the standard input: four bytes that count the rest (big-endian), then words separated by NUL, as take_request reads
# them. Reports go to the standard output, a line each: "ID pid N", then "ID ready N" or "ID fail ERRNO STEP: WHY".
#
#   launcher     reads requests and forks
#   └─ starter   makes the pid namespace, forks init, lets it join the guest's cgroups meanwhile, passes its report on, ends
#      └─ init   makes the other namespaces and all that is in them, waits for SIGUSR1, then forks
#         └─ the guest's command, without the capabilities it must not have
#
# No program is run, and no module loaded, once the guest's root is in place: the guest wrote those files.
use strict;
use warnings;
use Errno qw(EINTR EINVAL ENOENT ESRCH);
use Fcntl qw(O_APPEND O_CREAT O_NOFOLLOW O_TRUNC O_WRONLY);
use POSIX ();

# System calls by number (asm/unistd_64.h, asm-generic/unistd.h).
my %numbers = (
    x86_64  => { unshare => 272, mount => 165, umount2 => 166, pivot_root => 155, sethostname => 170, prctl => 157, capget => 125, capset => 126 },
    aarch64 => { unshare => 97, mount => 40, umount2 => 39, pivot_root => 41, sethostname => 161, prctl => 167, capget => 90, capset => 91 },
);
my $call = $numbers{ (POSIX::uname())[4] } or exit 95;

my ($clone_newns, $clone_newuts, $clone_newipc, $clone_newpid, $clone_newnet) = (0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000);
my ($ms_rdonly, $ms_remount, $ms_bind, $ms_rec, $ms_private, $mnt_detach) = (1, 32, 4096, 16384, 1 << 18, 2);
my %mount_flags = (rw => 0, ro => $ms_rdonly, nosuid => 2, nodev => 4, noexec => 8, bind => $ms_bind);
my ($pr_capbset_drop, $pr_set_no_new_privs, $pr_cap_ambient, $pr_cap_ambient_clear_all) = (24, 38, 47, 4);
my ($siocsifflags, $iff_up, $capability_version) = (0x8914, 1, 0x20080522);

# perl opens its own descriptors with O_CLOEXEC; whatever it was started with besides the first three is not for guests.
opendir(my $descriptors, '/proc/self/fd') or exit 1;
my @inherited = grep { /^\d+$/ && $_ > 2 } readdir $descriptors;
closedir $descriptors;
POSIX::close($_) for @inherited;

$SIG{CHLD} = 'IGNORE';
my ($length, $request) = ('', '');
while (1) {
    read_into(\$length, 4);
    read_into(\$request, unpack 'N', $length);
    my $starter = fork;
    start($request) if defined $starter && $starter == 0;
    syswrite STDOUT, sprintf "%s fail %d fork: %s\n", substr($request, 0, index $request, "\0"), $!, $! if !defined $starter;
    $request =~ tr/\0-\377/\0/; # in place: a later guest's init is a copy of this memory
}

sub read_into {
    my ($buffer, $wanted) = @_;
    $$buffer = '';
    while (length $$buffer < $wanted) {
        my $count = sysread STDIN, $$buffer, $wanted - length $$buffer, length $$buffer;
        next if !defined $count && $! == EINTR;
        exit 0 if !$count; # nf.io has ended; its guests live on
    }
}

sub take_request {
    my @words = split /\0/, $_[0], -1;
    my $list = sub { splice @words, 0, shift @words };
    my %guest = map { $_ => shift @words } qw(id label hostname directory capabilities ip);
    $guest{$_} = [$list->()] for qw(cgroups environment command files sysctl mounts);
    return \%guest;
}

# ---- the starter

sub start {
    $SIG{CHLD} = 'DEFAULT';
    my $guest = take_request($_[0]);
    my $tell = sub { syswrite STDOUT, "$guest->{id} $_[0]\n" };
    my $failed = sub { $tell->(sprintf 'fail %d %s: %s', $!, $_[0], $!); POSIX::_exit(1) };
    pipe(my $report, my $reporter) or $failed->('pipe');
    syscall($call->{unshare}, $clone_newpid) == 0 or $failed->('namespaces');
    my $init = fork;
    defined $init or $failed->('fork');
    run_init($guest, $report, $reporter) if $init == 0;
    close $reporter;
    $tell->("pid $init");
    my $said = join_cgroups($guest->{cgroups}, $init);
    if ($said eq '') { while (sysread $report, $said, 4096, length $said) { } }
    if ($said eq 'ready') { $tell->("ready $init"); POSIX::_exit(0) }
    kill 'KILL', $init;
    waitpid $init, 0;
    $said =~ s/\s+/ /g;
    $tell->('fail ' . ($said eq '' ? '0 setup: ' : substr $said, 0, 600));
    POSIX::_exit(1);
}

# Joining waits for the kernel (some milliseconds, idle), so it is done here while init works. Returns what failed, or nothing.
sub join_cgroups {
    my ($files, $pid) = @_;
    for my $file (@$files) {
        my $procs;
        next if sysopen($procs, $file, O_WRONLY) && syswrite $procs, $pid;
        last if $! == ESRCH; # init has ended: what it said tells why
        return sprintf '%d cgroup: %s: %s', $!, $file, $!;
    }
    return '';
}

# ---- init: pid 1 of the guest. It keeps its capabilities, which puts it out of the guest's reach: ptrace(2) and /proc/1 need as many.

my $reporter;

sub fail {
    my ($step, $why) = @_;
    syswrite $reporter, sprintf '%d %s: %s', $!, $step, $why // "$!";
    POSIX::_exit(1);
}

sub run_init {
    my ($guest, $report) = @_;
    $reporter = $_[2];
    close $report;
    my ($all, $none) = (POSIX::SigSet->new(POSIX::SIGTERM, POSIX::SIGUSR1, POSIX::SIGCHLD), POSIX::SigSet->new);
    POSIX::sigprocmask(POSIX::SIG_BLOCK, $all);
    $SIG{PIPE} = 'IGNORE';
    $0 = $guest->{label};
    POSIX::setsid();
    my $exit = open_files($guest);
    syscall($call->{unshare}, $clone_newnet | $clone_newns | $clone_newuts | $clone_newipc) == 0 or fail('namespaces');
    my $hostname = $guest->{hostname};
    syscall($call->{sethostname}, $hostname, length $hostname) == 0 or fail('hostname');
    set_kernel_settings($guest->{sysctl}, 'existing');
    raise_loopback();
    make_ports($guest->{ip}) if $guest->{ip} ne '';
    set_kernel_settings($guest->{sysctl}, 'all');
    make_root($guest->{mounts});
    supervise($guest, $exit, $none);
}

# Leaves the launcher's pipes, and opens the log and the file that the exit status goes to. The guest's directory is the working one.
sub open_files {
    my ($guest) = @_;
    chdir $guest->{directory} or fail('directory');
    sysopen(my $log, 'log', O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640) or fail('log');
    sysopen(my $exit, 'exit', O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600) or fail('exit');
    my @files = @{ $guest->{files} };
    while (my ($path, $text) = splice @files, 0, 2) {
        sysopen(my $file, $path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644) or fail($path);
        $text eq '' or (syswrite($file, $text) // -1) == length $text or fail($path);
        close $file or fail($path);
    }
    open(STDIN, '<', '/dev/null') && open(STDOUT, '>&', $log) && open(STDERR, '>&', $log) or fail('log');
    return $exit;
}

# Pairs of a path below /proc/sys and a value; one that begins with "-" need not exist. Ports inherit some of what is set before they
# are made; others are set by a port's name.
sub set_kernel_settings {
    my ($settings, $which) = @_;
    my @left = @$settings;
    while (my ($path, $value) = splice @left, 0, 2) {
        my $optional = $path =~ s/^-//;
        my $file;
        next if sysopen($file, "/proc/sys/$path", O_WRONLY) && defined syswrite $file, $value;
        fail("sysctl $path") if $! != ENOENT || $which eq 'all' && !$optional;
    }
}

sub raise_loopback {
    my ($request, $socket) = pack 'a16 s x22', 'lo', $iff_up;
    socket($socket, 2, 2, 0) && ioctl($socket, $siocsifflags, $request) or fail('lo'); # AF_INET, SOCK_DGRAM
}

# Runs one ip -batch: the machine's own, the guest's root is not in place yet.
sub make_ports {
    my ($commands) = @_;
    pipe(my $commands_end, my $feed) && pipe(my $said_end, my $say) or fail('ports');
    my $ip = fork;
    defined $ip or fail('ports');
    if ($ip == 0) {
        open(STDIN, '<&', $commands_end) && open(STDOUT, '>&', $say) && open(STDERR, '>&', $say) or POSIX::_exit(126);
        exec { 'ip' } 'ip', '-batch', '-' or POSIX::_exit(127);
    }
    close $_ for $commands_end, $say;
    syswrite $feed, $commands;
    close $feed;
    my $said = '';
    while (sysread $said_end, $said, 4096, length $said) { last if length $said > 65_536 }
    waitpid $ip, 0;
    $! = 0;
    return if $? == 0;
    fail('ports', $said eq '' ? "ip ended with status $?" : substr $said, 0, 500);
}

# Rows of source, target, type and options, as in fstab(5). Then the machine's root goes, and with it every way back.
sub make_root {
    my @rows = @{ $_[0] };
    mount('none', '/', '', $ms_rec | $ms_private, '') == 0 or fail('mounts');
    mount_row(splice @rows, 0, 4) while @rows;
    chdir 'root' or fail('root');
    @INC = ();
    my ($new, $old, $detached) = ('.', '.', '.');
    syscall($call->{pivot_root}, $new, $old) == 0 or fail('root');
    syscall($call->{umount2}, $detached, $mnt_detach) == 0 or fail('old root');
    chdir '/' or fail('root');
}

sub mount_row {
    my ($source, $target, $type, $options) = @_;
    my ($flags, $optional, @data) = (0);
    for my $option (split /,/, $options) {
        if (defined $mount_flags{$option}) { $flags |= $mount_flags{$option} }
        elsif ($option eq 'x-optional') { $optional = 1 }
        elsif ($option eq 'x-mkdir') { make_directories($target) }
        else { push @data, $option }
    }
    if (mount($source, $target, $type, $flags, join ',', @data) != 0) {
        return if $optional && $! == ENOENT;
        fail("mount $target");
    }
    # Linux ignores the other flags of a new bind mount: they are set on it afterwards.
    return if !($flags & $ms_bind) || $flags == $ms_bind;
    mount('none', $target, '', $flags | $ms_remount, '') == 0 or fail("mount $target");
}

sub make_directories {
    my ($path) = @_;
    for (my $end = index $path, '/', 1; $end > 0; $end = index $path, '/', $end + 1) { mkdir substr $path, 0, $end }
    mkdir $path;
}

# syscall gives the kernel the memory of its arguments: they must be variables, and strings.
sub mount {
    my ($source, $target, $type, $flags, $data) = @_;
    syscall($call->{mount}, $source, $target, $type, $flags, $data);
}

# Lets the command run when told so (SIGUSR1), passes SIGTERM on to it, reaps, and notes the exit status. Signals come only while this
# waits for them: none is lost.
sub supervise {
    my ($guest, $exit, $none) = @_;
    my ($go, $term, $main) = (0, 0);
    local $SIG{USR1} = sub { $go = 1 };
    local $SIG{TERM} = sub { $term = 1 };
    local $SIG{CHLD} = sub { };
    (syswrite($reporter, 'ready') // 0) == 5 or POSIX::_exit(1);
    close $reporter;
    while (1) {
        finish($exit, 128 + POSIX::SIGTERM) if $term && !defined $main;
        kill 'TERM', $main if $term;
        $term = 0;
        if ($go && !defined $main && @{ $guest->{command} }) {
            $main = fork;
            finish($exit, 126) if !defined $main;
            run_command($guest, $none) if $main == 0;
        }
        while ((my $ended = waitpid -1, POSIX::WNOHANG) > 0) {
            next if !defined $main || $ended != $main;
            finish($exit, $? & 127 ? 128 + ($? & 127) : $? >> 8);
        }
        POSIX::sigsuspend($none);
    }
}

sub finish {
    my ($exit, $code) = @_;
    syswrite $exit, "$code\n";
    POSIX::_exit($code);
}

# ---- the guest's command

sub run_command {
    my ($guest, $none) = @_;
    $SIG{$_} = 'DEFAULT' for qw(TERM USR1 CHLD PIPE);
    POSIX::sigprocmask(POSIX::SIG_SETMASK, $none);
    restrict($guest->{capabilities}) if $guest->{capabilities} ne '';
    %ENV = map { /^([^=]*)=(.*)$/s } @{ $guest->{environment} };
    my @command = @{ $guest->{command} };
    no warnings 'exec';
    exec { $command[0] } @command;
    my $code = $! == ENOENT ? 127 : 126;
    syswrite STDERR, "$command[0]: $!\n";
    POSIX::_exit($code);
}

# Gives up all capabilities but those of the mask, for good.
sub restrict {
    my $kept = 0 + $_[0];
    my $give_up = sub { syswrite STDERR, "capabilities: $!\n"; POSIX::_exit(126) };
    for my $number (0 .. 63) {
        next if $kept >> $number & 1;
        next if syscall($call->{prctl}, $pr_capbset_drop, $number, 0, 0, 0) == 0;
        $! == EINVAL ? last : $give_up->(); # beyond the last one this kernel knows
    }
    syscall($call->{prctl}, $pr_cap_ambient, $pr_cap_ambient_clear_all, 0, 0, 0) == 0 or $give_up->();
    syscall($call->{prctl}, $pr_set_no_new_privs, 1, 0, 0, 0) == 0 or $give_up->();
    my ($header, $sets) = (pack('L2', $capability_version, 0), "\0" x 24);
    syscall($call->{capget}, $header, $sets) == 0 or $give_up->();
    my ($low, $high) = (unpack 'L6', $sets)[1, 4];
    ($low, $high) = ($low & $kept, $high & $kept >> 32);
    my $kept_sets = pack 'L6', $low, $low, 0, $high, $high, 0;
    syscall($call->{capset}, $header, $kept_sets) == 0 or $give_up->();
}
