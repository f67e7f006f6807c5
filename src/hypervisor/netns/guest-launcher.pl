# Starts guests, for launcher.ts, and shows the roots of those that do not run. It runs from the machine's root, with the machine's own perl and the modules of perl-base, and makes
# the system calls itself: a guest costs one fork, and no program.
#
# Requests come on the standard input, as network-requests.pl reads them and take_request takes them. Reports go to the standard output, a line
# each: "ID pid N", then "ID ready N" and, once its command runs or it has none, "ID runs N"; or "ID fail ERRNO STEP: WHY".
#
#   launcher   reads requests, forks inits, passes on what they report
#   └─ init    joins the guest's cgroups, makes the namespaces and all that is in them, enters its user namespace, waits for SIGUSR1, then forks
#      └─ the guest's command, without the capabilities and system calls it must not have (guest-restriction.pl)
#
# A request of the kind "view" has an init that makes the root and waits: whoever wants to look into the root finds it at /proc/PID/root. It is killed when it is no
# longer wanted, and ends with the launcher, so that nothing stays mounted.
#
# No program is run, and no module loaded, once the guest's root is in place: the guest wrote those files.
use strict;
use warnings;
use Errno qw(EEXIST ENOENT);
use Fcntl qw(O_APPEND O_CREAT O_DIRECTORY O_NOFOLLOW O_RDONLY O_RDWR O_TRUNC O_WRONLY);
use POSIX ();
require($0 =~ s{[^/]*/[^/]*/[^/]*$}{network/network-requests.pl}r);
require($0 =~ s{[^/]*$}{guest-restriction.pl}r);

# System calls by number (asm/unistd_64.h, asm-generic/unistd.h).
my %numbers = (
    x86_64 => {
        unshare => 272, setns => 308, mount => 165, umount2 => 166, pivot_root => 155, sethostname => 170,
        prctl => 157, openat => 257,
    },
    aarch64 => {
        unshare => 97, setns => 268, mount => 40, umount2 => 39, pivot_root => 41, sethostname => 161,
        prctl => 167, openat => 56,
    },
);
my $machine = (POSIX::uname())[4];
my $call = $numbers{$machine} or exit 95;

my ($clone_newns, $clone_newuts, $clone_newipc, $clone_newpid, $clone_newnet) = (0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000);
my $clone_newuser = 0x10000000;
# What the file `exit` of a guest holds until its end: as many bytes as a status has.
my $no_end = "---\n";
my ($ms_rdonly, $ms_remount, $ms_bind, $ms_rec, $ms_private, $mnt_detach) = (1, 32, 4096, 16384, 1 << 18, 2);
my %mount_flags = (rw => 0, ro => $ms_rdonly, nosuid => 2, nodev => 4, noexec => 8, bind => $ms_bind);
my ($pr_set_pdeathsig, $pr_set_securebits, $secbit_no_setuid_fixup) = (1, 28, 4);

# perl opens its own descriptors with O_CLOEXEC; whatever it was started with besides the first three is not for guests.
opendir(my $descriptors, '/proc/self/fd') or exit 1;
my @inherited = grep { /^\d+$/ && $_ > 2 } readdir $descriptors;
closedir $descriptors;
POSIX::close($_) for @inherited;

# ---- the launcher

# When memory runs out, what is forked from here goes before the server (proc_pid_oom_score_adj(5), src/daemon/stay-alive.ts).
if (sysopen my $score, '/proc/self/oom_score_adj', O_RDWR) {
    sysread $score, my $own, 16;
    syswrite $score, $own + 300 > 0 ? $own + 300 : 0;
}
$SIG{CHLD} = 'IGNORE';
sysopen(my $own_pid_namespace, '/proc/self/ns/pid', O_RDONLY) or exit 1;
my %starting; # inits that have not reported yet, by the descriptor of the pipe they report by
while (1) {
    my $wanted = '';
    vec($wanted, $_, 1) = 1 for 0, keys %starting;
    next if select(my $readable = $wanted, undef, undef, undef) < 0;
    for my $descriptor (keys %starting) { hear($descriptor) if vec $readable, $descriptor, 1 }
    start() if vec $readable, 0, 1;
}

sub start {
    read_request(\my $request);
    my $id = substr $request, 0, index $request, "\0";
    return say_of($id, 'pong ') if $request eq "$id\0ping";
    my ($report, $reporter) = POSIX::pipe();
    my $init = defined $report ? fork_init() : undef;
    run_init(take_request($request), $report, $reporter) if defined $init && $init == 0;
    my $said = defined $init ? "pid $init" : sprintf 'fail %d fork: %s', $!, $!;
    POSIX::close($reporter) if defined $report;
    $request =~ tr/\0-\377/\0/; # in place: a later guest's init is a copy of this memory
    if (defined $init) { $starting{$report} = { id => $id, pid => $init, said => '' } }
    elsif (defined $report) { POSIX::close($report) }
    say_of($id, $said);
}

# Each in a pid namespace of its own. The launcher's children are in its own one again afterwards.
sub fork_init {
    syscall($call->{unshare}, $clone_newpid) == 0 or return;
    my $pid = fork;
    return 0 if defined $pid && $pid == 0;
    my $why = $!;
    syscall($call->{setns}, fileno $own_pid_namespace, $clone_newpid);
    $! = $why;
    return $pid;
}

sub hear {
    my ($descriptor) = @_;
    my $init = $starting{$descriptor};
    my $count = POSIX::read($descriptor, my $part, 4096) // 0;
    if ($count > 0) {
        $init->{said} .= $part;
        say_of($init->{id}, "ready $init->{pid}") if $init->{said} =~ s/^ready//;
        return; # it closes its end when the command runs, and when it failed
    }
    delete $starting{$descriptor};
    POSIX::close($descriptor);
    my $said = $init->{said};
    return say_of($init->{id}, "runs $init->{pid}") if $said eq 'runs';
    kill 'KILL', $init->{pid};
    $said =~ s/\s+/ /g;
    say_of($init->{id}, 'fail ' . ($said eq '' ? '0 setup: ' : substr $said, 0, 600));
}

sub say_of {
    my ($id, $what) = @_;
    syswrite STDOUT, "$id $what\n";
}

sub take_request {
    my @words = split /\0/, $_[0], -1;
    my %guest = map { $_ => shift @words } qw(id kind label hostname directory private machine room users capabilities filter fabric);
    $guest{$_} = [take_list(\@words)] for qw(cgroups environment command directories files sysctl links mounts);
    return \%guest;
}

# ---- init: pid 1 of the guest. It keeps its capabilities, which puts it out of the guest's reach: ptrace(2) and /proc/1 need as many.

my $reporter;

sub fail {
    my ($step, $why) = @_;
    report(sprintf '%d %s: %s', $!, $step, $why // "$!");
    POSIX::_exit(1);
}

# False when nobody is there to hear it: nf.io has ended.
sub report {
    my ($said) = @_;
    return (POSIX::write($reporter, $said, length $said) // 0) == length $said;
}

sub run_init {
    my ($guest, $report) = @_;
    $reporter = $_[2];
    POSIX::close($_) for $report, keys %starting;
    close $own_pid_namespace;
    my ($all, $none) = (POSIX::SigSet->new(POSIX::SIGTERM, POSIX::SIGUSR1, POSIX::SIGCHLD), POSIX::SigSet->new);
    POSIX::sigprocmask(POSIX::SIG_BLOCK, $all);
    $SIG{CHLD} = 'DEFAULT';
    $SIG{PIPE} = 'IGNORE';
    $0 = $guest->{label};
    POSIX::setsid();
    run_view($guest) if $guest->{kind} eq 'view';
    join_cgroups($guest->{cgroups});
    my $home = open_files($guest);
    my $fabric = $guest->{fabric} eq '' ? undef : socket_in($guest->{fabric});
    my $users = $guest->{users} eq '' ? undef : enter_own_network($guest->{users});
    my $network = defined $users ? 0 : $clone_newnet;
    syscall($call->{unshare}, $network | $clone_newns | $clone_newuts | $clone_newipc) == 0 or fail('namespaces');
    my $hostname = $guest->{hostname};
    syscall($call->{sethostname}, $hostname, length $hostname) == 0 or fail('hostname');
    set_kernel_settings($guest->{sysctl}, 'existing');
    send_requests($guest->{links}, { fabric => $fabric, guest => rtnetlink() });
    set_kernel_settings($guest->{sysctl}, 'all');
    undef $fabric;
    make_private_files($guest);
    make_root($guest->{mounts});
    enter_users($users) if defined $users;
    supervise($guest, $home, $none);
}

sub run_view {
    my ($guest) = @_;
    syscall($call->{prctl}, $pr_set_pdeathsig, POSIX::SIGKILL, 0, 0, 0) == 0 or fail('view');
    my $nothing = POSIX::open('/dev/null', O_RDWR) // fail('view');
    POSIX::dup2($nothing, $_) for 0 .. 2;
    POSIX::close($nothing);
    chdir $guest->{directory} or fail('directory');
    syscall($call->{unshare}, $clone_newns) == 0 or fail('namespaces');
    make_private_files($guest);
    make_root($guest->{mounts});
    report('ready') or POSIX::_exit(1);
    end_report('runs');
    while (1) { POSIX::pause() }
}

# Enters a network namespace that belongs to a user namespace of the guest's own, in which alone the guest's capabilities will count. Returns the user namespace. A child makes
# both: whoever makes a user namespace is in it, and has no power outside, and init still needs that for ports and mounts.
sub enter_own_network {
    my ($owner) = @_;
    pipe(my $told, my $teller) and pipe(my $kept, my $keeper) or fail('user namespace');
    my $child = fork // fail('user namespace');
    hold_namespaces($owner, $teller, $kept, $keeper) if $child == 0;
    close $teller;
    my ($pid, $errno) = split / /, <$told> // '0 0';
    if ($errno) { $! = $errno; fail('user namespace') }
    # All ids are the machine's: files have the same owners inside and outside.
    write_file("/proc/$pid/${_}_map", 0, "0 0 4294967295\n") or fail('user namespace') for qw(uid gid);
    sysopen(my $users, "/proc/$pid/ns/user", O_RDONLY) && sysopen(my $network, "/proc/$pid/ns/net", O_RDONLY) or fail('user namespace');
    enter_network($network);
    close $keeper; # supervise reaps it: waiting for its end would take as long as all this
    return $users;
}

# The child: tells its number on the machine, whose /proc this still is, and stays until the other end of $kept is closed. Without control group
# namespaces the guest cannot mount control groups, not even as root of a user namespace that it makes itself. What a user namespace uses counts for the user that made
# it too: that is one of its own, and keeps its capabilities, without which some machines let it make none.
sub hold_namespaces {
    my ($owner, $teller, $kept, $keeper) = @_;
    POSIX::close($reporter);
    close $keeper;
    my $made = syscall($call->{prctl}, $pr_set_securebits, $secbit_no_setuid_fixup, 0, 0, 0) == 0
        && defined POSIX::setuid($owner)
        && syscall($call->{unshare}, $clone_newuser | $clone_newnet) == 0
        && write_file('/proc/sys/user/max_cgroup_namespaces', 0, '0');
    my $errno = $made ? 0 : $! + 0;
    syswrite $teller, readlink('/proc/self') . " $errno";
    close $teller;
    sysread $kept, my $nothing, 1;
    POSIX::_exit(0);
}

# From here on init has all capabilities over what is the guest's, and none over the machine.
sub enter_users {
    my ($users) = @_;
    syscall($call->{setns}, fileno $users, $clone_newuser) == 0 or fail('user namespace');
}

# The first waits for the kernel, some idle milliseconds; those that follow soon do not.
sub join_cgroups {
    for my $file (@{ $_[0] }) { write_file($file, 0, '0') or fail('cgroup', "$file: $!") }
}

# Leaves the launcher's pipes. What the command prints goes to the log. Returns the guest's directory.
sub open_files {
    my ($guest) = @_;
    chdir $guest->{directory} or fail('directory');
    sysopen(my $home, '.', O_RDONLY | O_DIRECTORY) or fail('directory');
    unlink 'exit' or $! == ENOENT or fail('exit');
    # The end is written over this, which needs no room on the disk any more.
    write_file('exit', O_CREAT, $no_end);
    my $nothing = POSIX::open('/dev/null', O_RDWR) // fail('log');
    my $log = $nothing;
    if (@{ $guest->{command} }) { $log = POSIX::open('log', O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640) // fail('log') }
    POSIX::dup2($nothing, 0) && POSIX::dup2($log, 1) && POSIX::dup2($log, 2) or fail('log');
    POSIX::close($_) for $nothing, $log == $nothing ? () : $log;
    return $home;
}

# What the guest has of its own and loses at its end: directories (pairs of a mode and a path) and files (pairs of a path and a text) in a
# tmpfs, of so many bytes, that nobody else sees, from where they are mounted. What it keeps is on the disk, and what it sees of the machine in a layer: there the links lead. Mode bits are as given.
sub make_private_files {
    my ($guest) = @_;
    umask 0;
    mount('none', '/', '', $ms_rec | $ms_private, '') == 0 or fail('mounts');
    mount('tmpfs', $guest->{private}, 'tmpfs', $mount_flags{nosuid} | $mount_flags{nodev}, "mode=755,size=$guest->{room}") == 0 or fail('private files');
    chdir $guest->{private} && symlink($guest->{directory}, 'disk') && symlink($guest->{machine}, 'machine') or fail('private files');
    my @directories = @{ $guest->{directories} };
    while (my ($mode, $path) = splice @directories, 0, 2) { mkdir $path, oct $mode or $! == EEXIST or fail($path) }
    my @files = @{ $guest->{files} };
    while (my ($path, $text) = splice @files, 0, 2) { write_file($path, O_CREAT, $text) or fail($path) }
    umask 022;
}

# Rows of source, target, type and options, as in fstab(5); paths begin in the private tmpfs.
# Then the machine's root goes, and with it every way back.
sub make_root {
    my @rows = @{ $_[0] };
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
        fail('mount ' . ($target =~ s{^root/?}{/}r));
    }
    # Linux ignores the other flags of a new bind mount: they are set on it afterwards.
    return if !($flags & $ms_bind) || $flags == $ms_bind;
    mount('none', $target, '', $flags | $ms_remount, '') == 0 or fail('mount ' . ($target =~ s{^root/?}{/}r));
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

# Lets the command run when told so (SIGUSR1), reports that it does, passes SIGTERM on to it, reaps, and notes the exit status. Signals come only while this
# waits for them: none is lost.
sub supervise {
    my ($guest, $home, $none) = @_;
    my ($go, $term, $main) = (0, 0);
    local $SIG{USR1} = sub { $go = 1 };
    local $SIG{TERM} = sub { $term = 1 };
    local $SIG{CHLD} = sub { };
    report('ready') or POSIX::_exit(1);
    end_report('runs') if !@{ $guest->{command} };
    while (1) {
        finish($home, 128 + POSIX::SIGTERM) if $term && !defined $main;
        kill 'TERM', $main if $term;
        $term = 0;
        if ($go && !defined $main && @{ $guest->{command} }) {
            $main = start_command($guest, $home, $none);
        }
        while ((my $ended = waitpid -1, POSIX::WNOHANG) > 0) {
            next if !defined $main || $ended != $main;
            my $status = $?;
            close_ports();
            finish($home, $status & 127 ? 128 + ($status & 127) : $status >> 8);
        }
        POSIX::sigsuspend($none);
    }
}

# The pipe closes by itself when the new program begins; before that it brings the exit status and why there is none.
sub start_command {
    my ($guest, $home, $none) = @_;
    pipe(my $outcome, my $teller) or finish($home, 126);
    my $main = fork;
    finish($home, 126) if !defined $main;
    run_command($guest, $teller, $none) if $main == 0;
    close $teller;
    my ($code, $why) = split / /, join('', <$outcome>), 2;
    close $outcome;
    end_report($why // 'runs');
    finish($home, $code) if defined $why;
    return $main;
}

sub end_report {
    my ($said) = @_;
    report($said);
    POSIX::close($reporter);
}

# What the main process kept watch over passes no more. rtnetlink: RTM_NEWLINK for an interface by its name (IFLA_IFNAME), not up (IFF_UP of linux/if.h).
sub close_ports {
    my $socket = rtnetlink();
    open my $devices, '<', '/proc/net/dev' or return;
    while (my $line = <$devices>) {
        my ($name) = $line =~ /^\s*([^\s:]+):/ or next;
        my $attribute = pack 'S S Z*', 5 + length $name, 3, $name;
        $attribute .= "\0" x (-length($attribute) & 3);
        my $body = pack 'C x S l L L', 0, 0, 0, 0, 1;
        send $socket, pack('L S S L L', 16 + length($body . $attribute), 16, 1, 0, 0) . $body . $attribute, 0;
    }
}

sub finish {
    my ($home, $code) = @_;
    my $name = 'exit';
    my $exit = syscall($call->{openat}, fileno $home, $name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    POSIX::write($exit, sprintf("%03d\n", $code), length $no_end) if $exit >= 0;
    POSIX::_exit($code);
}

# ---- the guest's command

sub run_command {
    my ($guest, $teller, $none) = @_;
    POSIX::close($reporter);
    $SIG{$_} = 'DEFAULT' for qw(TERM USR1 CHLD PIPE);
    POSIX::sigprocmask(POSIX::SIG_SETMASK, $none);
    my $give_up = sub {
        my ($code, $what) = @_;
        my ($number, $why) = ($! + 0, "$what: $!");
        syswrite STDERR, "$why\n";
        syswrite $teller, "$code $number command: $why";
        POSIX::_exit($code);
    };
    $guest->{capabilities} eq '' or restrict($machine, $guest->{capabilities}, $guest->{filter}) or $give_up->(126, 'capabilities and system calls');
    %ENV = map { /^([^=]*)=(.*)$/s } @{ $guest->{environment} };
    my @command = @{ $guest->{command} };
    no warnings 'exec';
    exec { $command[0] } @command;
    $give_up->($! == ENOENT ? 127 : 126, $command[0]);
}
