# Sends packets into a service chain and says where they were seen. Run by probe.ts in the fabric's network namespace, by perl-base alone.
#
# Arguments: the interface to send by, what all probes have in common (OFFSET:VALUE of 16 bits in a frame, several with commas), the length of
# their packets, how long to listen after the last one (ms) unless all have been seen everywhere before, how many interfaces to listen at, their
# names, and the frames to send, in hexadecimal. Prints a line for each sighting:
#   INTERFACE out|in NUMBER-OF-FRAME SECONDS NANOSECONDS FIRST-BYTES-OF-THE-PACKET
# `out` is what the fabric sends to a guest. A frame is known again by its last four bytes.
use strict;
use warnings;

my ($af_packet, $sock_raw, $eth_p_all) = (17, 3, 0x0003);
my ($sol_socket, $so_attach_filter, $siocgifindex, $siocgstampns, $packet_outgoing) = (1, 26, 0x8933, 0x8907, 4);

my ($sender, $known, $length, $wait_ms, $count, @rest) = @ARGV;
my @devices = splice @rest, 0, $count;
my @frames = map { pack 'H*', $_ } @rest;
my $filter = filter_for(map { [split /:/] } split /,/, $known);
my %number = map { substr($frames[$_], -4) => $_ } 0 .. $#frames;

# The program of a packet filter (bpf(4): ldh, jeq, ret) that takes what has these values at these offsets.
sub filter_for {
    my $left = 2 * @_;
    my @program = map { $left -= 2; ([0x28, 0, 0, $_->[0]], [0x15, 0, $left + 1, $_->[1]]) } @_;
    return join '', map { pack 'S C C L', @$_ } @program, [0x06, 0, 0, 2048], [0x06, 0, 0, 0];
}

sub listen_at {
    my ($device) = @_;
    socket(my $socket, $af_packet, $sock_raw, 0) or die "socket: $!\n";
    my $request = pack 'a16 x24', $device;
    ioctl($socket, $siocgifindex, $request) or return;
    my $index = unpack 'x16 i', $request;
    setsockopt($socket, $sol_socket, $so_attach_filter, pack 'S x![P] P', length($filter) / 8, $filter) or die "filter: $!\n";
    bind($socket, pack 'S n i x12', $af_packet, $eth_p_all, $index) or die "bind: $!\n";
    return { device => $device, socket => $socket };
}

my @listeners = map { listen_at($_) } @devices;
my $out = listen_at($sender) or die "$sender: $!\n";
my %listener = map { fileno($_->{socket}) => $_ } @listeners;
my $all = '';
vec($all, $_, 1) = 1 for keys %listener;

my %seen;
my $everywhere = @frames * keys %{ { map { $_->{device} => 1 } @listeners } };

# Takes in what comes for so many seconds, or until nothing more can come. select(2) tells how many are left.
sub collect {
    my ($left) = @_;
    while ($left > 0 && keys %seen < $everywhere) {
        my ($ready, $count) = $all;
        ($count, $left) = select $ready, undef, undef, $left;
        return if $count <= 0;
        take($_) for grep { vec $ready, $_, 1 } keys %listener;
    }
}

sub take {
    my ($device, $socket) = @{ $listener{ $_[0] } }{qw(device socket)};
    my $from = recv $socket, my $frame, 2048, 0;
    my $stamp = pack 'q q', 0, 0;
    ioctl($socket, $siocgstampns, $stamp);
    my $way = (unpack 'S n i S C', $from)[4] == $packet_outgoing ? 'out' : 'in';
    my $which = $number{ substr $frame, 14 + $length - 4, 4 };
    return if !defined $which;
    $seen{"$device $which"} = 1;
    printf "%s %s %d %d %d %s\n", $device, $way, $which, unpack('q q', $stamp), unpack 'H*', substr $frame, 14, 48;
}

for my $frame (@frames) {
    send($out->{socket}, $frame, 0) or die "$sender: $!\n";
    collect(0.02);
}
collect($wait_ms / 1000);
