# What the programs that change network namespaces share, for them to require: requests that come on the standard input, and what these ask of
# the kernel. A program has a function fail(STEP, WHY) of its own, which does not return; $! is the error then.
use strict;
use warnings;
use Errno qw(EEXIST EINTR ENODEV ENOENT ESRCH);
use Fcntl qw(O_RDONLY O_WRONLY);
use POSIX ();

# setns(2) by number (asm/unistd_64.h, asm-generic/unistd.h).
my $setns = { x86_64 => 308, aarch64 => 268 }->{ (POSIX::uname())[4] } or exit 95;
my $clone_newnet = 0x40000000;
my $moved = 0;
my %done = map { $_ => 1 } EEXIST, ENOENT, ESRCH, ENODEV;
# linux/netlink.h
my $af_packet = 17; # linux/socket.h
our $netlink_netfilter = 12;
my ($af_netlink, $sock_raw, $netlink_route, $sol_netlink, $netlink_cap_ack, $netlink_ext_ack) = (16, 3, 0, 270, 10, 11);
my $nlm_f_ack = 4;
my ($nlmsg_error, $nlm_f_ack_tlvs, $nlmsgerr_attr_msg, $bytes_before_tlvs) = (2, 0x200, 1, 36);

# Takes in one request: four bytes that count the rest (big-endian), then words separated by NUL. The program ends when there are no more.
sub read_request {
    my ($request) = @_;
    read_into($request, 4);
    read_into($request, unpack 'N', $$request);
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

# Takes a list off words: how many there are, then so many.
sub take_list {
    my ($words) = @_;
    return splice @$words, 0, shift @$words;
}

sub enter_network {
    my ($namespace) = @_;
    syscall($setns, fileno $namespace, $clone_newnet) == 0 or fail('network');
    $moved = 1;
}

# Back to where it was before it entered another one, if it did.
sub return_to_network {
    my ($namespace) = @_;
    enter_network($namespace) if $moved;
    $moved = 0;
}

# A socket belongs to the network namespace it was made in, wherever its process goes. Of a family of netlink(7), by default rtnetlink.
sub socket_in {
    my ($path, $family) = @_;
    sysopen(my $namespace, $path, O_RDONLY) or fail('network');
    enter_network($namespace);
    return netlink($family // $netlink_route);
}

sub rtnetlink {
    return netlink($netlink_route);
}

sub netlink {
    my ($family) = @_;
    socket(my $socket, $af_netlink, $sock_raw, $family) or fail('network');
    # The kernel shall explain, and not repeat, what it refuses; old ones do not know how.
    setsockopt $socket, $sol_netlink, $_, pack 'l', 1 for $netlink_cap_ack, $netlink_ext_ack;
    return $socket;
}

# Triples of the namespace to send from, what it is for, and the message in hexadecimal digits (link-request.ts). One whose purpose
# begins with "-" may find its work done: what it adds is there, or what it removes is not. From "sysctl" something below /proc/sys is set instead;
# from "frame" goes a frame, by the interface of the fabric whose index stands for the purpose; from "rules" a transaction of nf_tables.
sub send_requests {
    my ($requests, $sockets) = @_;
    my @left = @$requests;
    while (my ($namespace, $what, $digits) = splice @left, 0, 3) {
        if ($namespace eq 'sysctl') {
            set_first_there(split / /, $digits);
            next;
        }
        my $socket = $sockets->{$namespace};
        if ($namespace eq 'frame') {
            send_frame($socket, $what, pack 'H*', $digits);
            next;
        }
        if ($namespace eq 'rules') {
            send_transaction($socket, $what, pack 'H*', $digits);
            next;
        }
        my $optional = $what =~ s/^-//;
        defined send($socket, pack('H*', $digits), 0) && defined recv($socket, my $answer, 8192, 0) or fail($what);
        my ($length, $type, $flags, $error) = unpack 'L S S x8 l', $answer;
        next if $type == $nlmsg_error && $error == 0;
        $! = -$error;
        next if $optional && $done{ $! + 0 };
        fail($what, "$!" . ($flags & $nlm_f_ack_tlvs ? explanation(substr $answer, $bytes_before_tlvs) : ''));
    }
}

# The kernel tells of each message that fails, then of the last one that asks for it, which is done when all are.
sub send_transaction {
    my ($socket, $what, $messages) = @_;
    my $sequence = last_asking($messages);
    defined send($socket, $messages, 0) or fail($what);
    my $failure = 0;
    for (;;) {
        defined recv($socket, my $answer, 8192, 0) or fail($what);
        my ($type, $flags, $number, $error) = unpack 'x4 S S L x4 l', $answer;
        next if $type != $nlmsg_error;
        $failure ||= -$error;
        # One that fails as a whole is told of by the number of its first message.
        last if $number == $sequence || $number == 0;
    }
    return if $failure == 0;
    $! = $failure;
    fail($what);
}

# The number of the last message that asks for an acknowledgement.
sub last_asking {
    my ($messages) = @_;
    my $last = 0;
    while (length $messages >= 16) {
        my ($length, $flags, $number) = unpack 'L x2 S L', $messages;
        $last = $number if $flags & $nlm_f_ack;
        $messages = substr $messages, $length;
    }
    return $last;
}

# A socket for frames in the network namespace where this process is. It receives nothing.
sub frame_socket {
    socket(my $socket, $af_packet, $sock_raw, 0) or fail('network');
    return $socket;
}

# Sends a frame by an interface (struct sockaddr_ll, packet(7)). That nobody is there to get it is no failure.
sub send_frame {
    my ($socket, $index, $frame) = @_;
    my ($destination, $protocol) = unpack 'a6 x6 n', $frame;
    send $socket, $frame, 0, pack('S n l S C C a8', $af_packet, $protocol, $index, 0, 0, 6, $destination);
}

# Sets a file below /proc/sys; another one where the kernel does not have it.
sub set_first_there {
    my ($path, $value, $other) = @_;
    $path = $other if defined $other && !-e "/proc/sys/$path";
    write_file("/proc/sys/$path", 0, $value) or fail("sysctl $path");
}

# What the kernel adds to the number of an error, in its attributes.
sub explanation {
    my ($attributes) = @_;
    while (length $attributes >= 4) {
        my ($length, $type) = unpack 'S S', $attributes;
        last if $length < 4;
        return ' (' . unpack('x4 Z*', substr $attributes, 0, $length) . ')' if $type == $nlmsgerr_attr_msg;
        substr($attributes, 0, $length + 3 & ~3) = '';
    }
    return '';
}

# Writes a text to a file at once; false when that fails. sysopen would ask the kernel three things more of every file, for buffers.
sub write_file {
    my ($path, $flags, $text) = @_;
    my $file = POSIX::open($path, O_WRONLY | $flags, 0644) // return 0;
    my $written = $text eq '' || (POSIX::write($file, $text, length $text) // -1) == length $text;
    my $why = $!;
    POSIX::close($file);
    $! = $why;
    return $written;
}

# Pairs of a path below /proc/sys and a value; one that begins with "-" need not exist. Ports inherit some of what is set before they
# are made; others are set by a port's name.
sub set_kernel_settings {
    my ($settings, $which) = @_;
    my @left = @$settings;
    while (my ($path, $value) = splice @left, 0, 2) {
        my $optional = $path =~ s/^-//;
        next if write_file("/proc/sys/$path", 0, $value);
        fail("sysctl $path") if $! != ENOENT || $which eq 'all' && !$optional;
    }
}

1;
