# Watches the guests' ends of ports, for link-watch.ts (rtnetlink(7), netlink(7)).
#
# A request has the words ID, path of the fabric's namespace, and the least and the most index that a guest's end of a port has. The kernel tells a socket in the fabric of
# links in all namespaces that a link of the fabric leads to. Of each such link a line "ID link INDEX up|down MTU" is said whenever it has become another one, and
# "ID gone INDEX"; what there is at the beginning is said too, before the answer "ID watching ". "ID fail ERRNO STEP: WHY" ends it.
use strict;
use warnings;
use Errno qw(EAGAIN ENOBUFS EINTR);
require($0 =~ s{[^/]*$}{network-requests.pl}r);
require($0 =~ s{[^/]*$}{answer-requests.pl}r);
require($0 =~ s{[^/]*$}{netlink-attributes.pl}r);

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if.h
my ($sol_netlink, $listen_all_nsid, $sol_socket, $receive_buffer, $attach_filter) = (270, 8, 1, 33, 26);
my ($new_link, $delete_link, $get_link, $done, $error) = (16, 17, 18, 3, 2);
my ($request, $dump, $link_group, $is_up, $dont_wait) = (1, 0x300, 1, 1, 0x40);
my ($ifla_mtu, $ifla_link_netnsid, $ifla_target_netnsid) = (4, 37, 46);
my $buffer_bytes = 4 * 1024 * 1024;
# What changes within so long is taken in together, seconds.
my $settling = 0.01;

$0 = $ARGV[0];

my $own = own_network();
my $watch;
while (1) {
    my $ready = wait_for(\*STDIN, $watch ? $watch->{events} : ());
    if ($ready == fileno STDIN) {
        answer_request($own, \&begin);
    } elsif (!defined eval { take_events($watch); 1 }) {
        say_line("$watch->{id} " . failure());
        undef $watch;
    }
}

sub begin {
    my ($id, $fabric, $least, $most) = @_;
    undef $watch;
    my $asking = socket_in($fabric);
    my $events = rtnetlink();
    setsockopt $events, $sol_socket, $receive_buffer, pack 'l', $buffer_bytes;
    setsockopt $events, $sol_netlink, $listen_all_nsid, pack 'l', 1 or fail('links');
    let_pass($events, $least, $most);
    bind($events, pack 'S S L L', 16, 0, 0, $link_group) or fail('links');
    my $begun = { id => $id, asking => $asking, events => $events, least => $least, most => $most, said => {} };
    say_all($begun);
    $watch = $begun;
    return 'watching ';
}

# Has the kernel wake this process for links with these indexes alone: a guest that starts changes twice as many others. A filter of bpf(4) puts the index of struct
# ifinfomsg together, whose bytes are in the order of the machine.
sub let_pass {
    my ($socket, $least, $most) = @_;
    # linux/bpf_common.h
    my ($load_byte, $shift, $store, $recall, $or, $at_least, $more_than, $return) = (0x30, 0x64, 0x02, 0x61, 0x4c, 0x35, 0x25, 0x06);
    my $index_at = 16 + 4;
    my @steps = ([$load_byte, 0, 0, $index_at], [$store, 0, 0, 0]);
    push @steps, map { ([$load_byte, 0, 0, $index_at + $_], [$shift, 0, 0, 8 * $_], [$recall, 0, 0, 0], [$or, 0, 0, 0], [$store, 0, 0, 0]) } 1 .. 3;
    push @steps, [$at_least, 0, 2, $least], [$more_than, 1, 0, $most], [$return, 0, 0, 0xffffffff], [$return, 0, 0, 0];
    my $filter = join '', map { pack 'S C C L', @$_ } @steps;
    setsockopt $socket, $sol_socket, $attach_filter, pack 'S x![P] P', scalar @steps, $filter or fail('links');
}

# The number of the first of these files that has something to read.
sub wait_for {
    my @files = map { fileno $_ } @_;
    while (1) {
        my $ready = '';
        vec($ready, $_, 1) = 1 for @files;
        next if select($ready, undef, undef, undef) < 0;
        for (@files) { return $_ if vec $ready, $_, 1 }
    }
}

# All that comes in a moment is taken in before anything is said of it: a link that is being made changes several times, and many may be.
sub take_events {
    my ($watch) = @_;
    my (%now, $messages);
    select undef, undef, undef, $settling;
    while (1) {
        my $sent = recv $watch->{events}, $messages, 65536, $dont_wait;
        if (!defined $sent) {
            next if $! == EINTR;
            last if $! == EAGAIN;
            # Some were lost.
            return say_all($watch) if $! == ENOBUFS;
            fail('links');
        }
        take_links($watch, $messages, \%now);
    }
    say_links($watch, \%now);
}

# Asks for the links of the fabric, and for those of each namespace that one of them leads to.
sub say_all {
    my ($watch) = @_;
    my (%now, %namespaces);
    dump_links($watch->{asking}, '', sub { my %link = attributes_in($_[1]); $namespaces{ unpack 'l', $link{$ifla_link_netnsid} } = 1 if $link{$ifla_link_netnsid} });
    for my $namespace (keys %namespaces) {
        dump_links($watch->{asking}, attribute($ifla_target_netnsid, pack 'l', $namespace), sub { take_link($watch, $new_link, @_, \%now) });
    }
    $now{$_} //= '' for keys %{ $watch->{said} };
    say_links($watch, \%now);
}

sub dump_links {
    my ($socket, $attributes, $take) = @_;
    my $body = pack('C x S l L L', 0, 0, 0, 0, 0) . $attributes;
    defined send($socket, pack('L S S L L', 16 + length $body, $get_link, $request | $dump, 0, 0) . $body, 0) or fail('links');
    while (1) {
        defined recv($socket, my $messages, 65536, 0) or fail('links');
        while (length $messages >= 16) {
            my ($length, $type) = unpack 'L S', $messages;
            # A namespace may be gone already.
            return if $type == $done || $type == $error;
            $take->(substr($messages, 16, 16), substr($messages, 32, $length - 32));
            $messages = length $messages > ($length + 3 & ~3) ? substr $messages, $length + 3 & ~3 : '';
        }
    }
}

sub take_links {
    my ($watch, $messages, $now) = @_;
    while (length $messages >= 32) {
        my ($length, $type) = unpack 'L S', $messages;
        take_link($watch, $type, substr($messages, 16, 16), substr($messages, 32, $length - 32), $now) if $type == $new_link || $type == $delete_link;
        $messages = length $messages > ($length + 3 & ~3) ? substr $messages, $length + 3 & ~3 : '';
    }
}

sub take_link {
    my ($watch, $type, $body, $attributes, $now) = @_;
    my ($index, $flags) = unpack 'x4 l L', $body;
    return if $index < $watch->{least} || $index > $watch->{most};
    return $now->{$index} = '' if $type == $delete_link;
    # Messages of other families (bridges) have no size.
    my $mtu = attribute_in($attributes, $ifla_mtu) // return;
    $now->{$index} = sprintf '%s %d', $flags & $is_up ? 'up' : 'down', unpack 'L', $mtu;
}

sub say_links {
    my ($watch, $now) = @_;
    for my $index (keys %$now) {
        next if $now->{$index} eq ($watch->{said}{$index} // '');
        $watch->{said}{$index} = $now->{$index};
        delete $watch->{said}{$index} if $now->{$index} eq '';
        say_line("$watch->{id} " . ($now->{$index} eq '' ? "gone $index" : "link $index $now->{$index}"));
    }
}
