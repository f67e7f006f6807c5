# Lets frames go from hop to hop by a BPF program at the fabric's end of a port, for fast-path.ts: past the rules of nft and straight to the other
# end of the next hop's port, in its guest (bpf_redirect_peer; bpf-helpers(7), tc-bpf(8)).
#
# A request has the words ID, path of the fabric's namespace, VERB and what belongs to it:
#   withdraw  a list of keys of what was offered, which is left to nft from now on, and a list of counters that are forgotten
#   offer     a list of seven words each: a key, and
#             of a way into a hop: the interface that frames come from, the one they go to, the hardware address that they get or "",
#               the versions of IP that it takes ("4", "6", "46"), and two counters;
#             of a way onto a segment: interface, "", number of the segment, versions of IP, two counters;
#             of a port on a segment: "", its interface, its hardware address, number of the segment, a counter, ""
#   counts    a list of counters
# It is answered by a line "ID done", before it for offer a line "ID left KEY" for what was not taken, and for counts a line "ID count COUNTER PACKETS
# BYTES" each; or by "ID fail ERRNO STEP: WHY". "ID none WHY" says that this kernel has no such program: nothing is, or will be, taken from nft. "ID
# began" comes before all else that this process says: what others before it were offered is withdrawn.
use strict;
use warnings;
use Errno qw(EACCES EEXIST EINVAL ENOENT ENOSYS EPERM);
require($0 =~ s{steering/[^/]*$}{network-requests.pl}r);
require($0 =~ s{steering/[^/]*$}{answer-requests.pl}r);
require($0 =~ s{steering/[^/]*$}{netlink-attributes.pl}r);
require($0 =~ s{[^/]*$}{bpf.pl}r);

my ($way_key_bytes, $way_bytes, $holder_key_bytes, $holder_bytes) = (4, 24, 12, 8);
my ($counter_bytes, $place_bytes, $count_bytes) = (8, 4, 16);
my %flag = (ip => 1, ip6 => 2, rewritten => 4, leaves => 8);
# linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h, linux/if_link.h
my %message = (get_link => 18, new_qdisc => 36, new_filter => 44);
my ($nlmsg_error, $request, $acknowledge, $replace, $exclusive, $create) = (2, 1, 4, 0x100, 0x200, 0x400);
my ($clsact, $clsact_handle, $at_ingress) = (0xfffffff1, 0xffff0000, 0xfffffff2);
my ($every_protocol, $first) = (0x0300, 1 << 16);
my ($tca_kind, $tca_options, $bpf_fd, $bpf_name, $bpf_flags, $direct_action) = (1, 2, 6, 7, 8, 1);
my ($ifla_name, $ifla_qdisc, $ifla_linkinfo, $kind) = (3, 6, 18, 1);

my $mount = $ARGV[0] =~ s/^\S+ (\S+).*$/$1/r;
$0 = $ARGV[0];
my $processors = possible_processors();
# Descriptors of the maps and the program, once they are there; places of counters in the array of counts, and those that are free; what was offered:
# its map and its key there; indexes of interfaces that the program is at.
my ($ways, $holders, $places, $counts, $program, %place, @free, %offered, %at);
my %verbs = (withdraw => \&withdraw, offer => \&offer, counts => \&counts);

answer_requests(sub {
    my ($id, $fabric, $verb, @words) = @_;
    return open_once($id) // $verbs{$verb}->($id, $fabric, @words);
});

# The maps outlive this process, and so do the interfaces that the program is at. What an earlier one offered is withdrawn.
sub open_once {
    my ($id) = @_;
    return if defined $program;
    $ways = open_map("ways_$mount", 'hash', $way_key_bytes, $way_bytes) // return impossible('map');
    $holders = open_map("ports_$mount", 'hash', $holder_key_bytes, $holder_bytes) // return impossible('map');
    $places = open_map("places_$mount", 'hash', $counter_bytes, $place_bytes) // return impossible('map');
    $counts = open_map("counts_$mount", 'percpu_array', $place_bytes, $count_bytes) // return impossible('map');
    withdraw_entry($ways, $_) for keys_of($ways, $way_key_bytes);
    withdraw_entry($holders, $_) for keys_of($holders, $holder_key_bytes);
    for my $counter (keys_of($places, $counter_bytes)) {
        $place{ unpack 'Q', $counter } = unpack 'L', look_up($places, $counter, $place_bytes) // next;
    }
    my %taken = reverse %place;
    @free = grep { !exists $taken{$_} } 0 .. most_entries() - 1;
    my $loaded = load_program() // return impossible('program');
    bind_map($loaded, $places) // return impossible('program');
    $program = $loaded;
    say_line("$id began ");
    return;
}

# Only where no earlier process can have done it is it certain that nothing is offered.
sub impossible {
    my ($step) = @_;
    return "none bpf: $!" if $!{EPERM} || $!{EACCES} || $!{ENOSYS} || $!{EINVAL};
    fail($step);
}

sub withdraw_entry {
    my ($map, $key) = @_;
    delete_entry($map, $key) // $!{ENOENT} || fail('withdraw');
}

sub withdraw {
    my ($id, $fabric, @words) = @_;
    for my $key (take_list(\@words)) {
        my ($map, $entry, $index) = @{ $offered{$key} // next };
        withdraw_entry($map, $entry);
        delete $offered{$key};
        delete $at{$index} if defined $index; # another interface may have this index next time
    }
    for my $counter (take_list(\@words)) {
        my $place = delete $place{$counter} // next;
        delete_entry($places, pack 'Q', $counter);
        push @free, $place;
    }
    return 'done ';
}

sub offer {
    my ($id, $fabric, @words) = @_;
    my $socket = socket_in($fabric);
    my @left = take_list(\@words);
    while (my ($key, @offer) = splice @left, 0, 7) {
        my $entry = $offer[0] eq '' ? offer_holder($socket, @offer) : offer_way($socket, @offer);
        if (defined $entry) { $offered{$key} = $entry }
        else { say_line("$id left $key") }
    }
    return 'done ';
}

# Each of the two resolves to where it is then: a map, a key, and the index of an interface that the program is at; undef: nft goes on doing it.
sub offer_way {
    my ($socket, $device, $to, $where, $families, @counters) = @_;
    my $here = link_named($socket, $device) // return;
    my $flags = ($families =~ /4/ ? $flag{ip} : 0) | ($families =~ /6/ ? $flag{ip6} : 0);
    my ($target, $mac) = ($where, '');
    if ($to eq '') { $flags |= $flag{leaves} }
    else {
        $target = straight_to($socket, $to) // return;
        $mac = pack 'H*', $where;
        $flags |= $flag{rewritten} if $mac ne '';
    }
    return if $here->{kind} ne 'veth' || !attach($socket, $here->{index});
    my ($out, $in) = map { place_of($_) // return } @counters;
    my $key = pack 'L', $here->{index};
    update_entry($ways, $key, pack('L a6 S x4 L L', $target, $mac, $flags, $out, $in)) or fail("way of $device");
    return [$ways, $key, $here->{index}];
}

sub offer_holder {
    my ($socket, $nothing, $device, $mac, $segment, $counter) = @_;
    my $index = straight_to($socket, $device) // return;
    my $place = place_of($counter) // return;
    my $key = pack 'L L L', $segment, unpack 'N n', pack 'H*', $mac;
    update_entry($holders, $key, pack('L L', $index, $place)) or fail("port $device");
    return [$holders, $key];
}

# The index of an interface whose other end frames reach by no queue; undefined: there is none such.
sub straight_to {
    my ($socket, $name) = @_;
    my $link = link_named($socket, $name) // return;
    return $link->{kind} eq 'veth' && $link->{qdisc} eq 'noqueue' ? $link->{index} : undef;
}

sub counts {
    my ($id, $fabric, @words) = @_;
    for my $counter (take_list(\@words)) {
        my $place = $place{$counter} // next;
        my $values = look_up($counts, pack('L', $place), $count_bytes * $processors) // next;
        my ($packets, $bytes) = (0, 0);
        while (my ($more, $size) = unpack 'Q Q', $values) {
            ($packets, $bytes) = ($packets + $more, $bytes + $size);
            substr($values, 0, $count_bytes) = '';
        }
        say_line("$id count $counter $packets $bytes");
    }
    return 'done ';
}

# The place of a counter, which begins with nothing; undef when there is none left.
sub place_of {
    my ($counter) = @_;
    return $place{$counter} if exists $place{$counter};
    my $place = pop @free // return;
    update_entry($counts, pack('L', $place), "\0" x ($count_bytes * $processors)) or fail("counter $counter");
    update_entry($places, pack('Q', $counter), pack 'L', $place) or fail("counter $counter");
    return $place{$counter} = $place;
}

# What the program does with a frame (bpf-helpers(7) are called by number; `frame[N]` is in the byte order of the machine).
#   __sk_buff: bytes in all at 0, protocol at 16, interface at 40
#   a way: what to go to at 0 (interface, or segment), hardware address at 4, flags at 10, places of counters at 16 and 20
#   a port on a segment: interface at 0, place of a counter at 4
sub load_program {
    my ($look_up, $store_bytes, $change_type, $redirect_peer) = (1, 9, 32, 155);
    my ($ip, $ip6, $tcp, $udp, $link_local, $ethernet) = (0x0008, 0xdd86, 6, 17, 0xfe, 14);
    my ($next_header, $destination) = ($ethernet + 6, $ethernet + 24);
    # At the place that is at an offset of what a register points to; bytes without those of Ethernet, as nft counts them.
    my $count = sub {
        my ($register, $offset, $after) = @_;
        return qq{
            r1 = map $counts; r2 = $register; r2 += $offset; call $look_up
            if r0 == 0 goto $after
            r1 = u64 r0[0]; r1 += 1; u64 r0[0] = r1
            r2 = u32 r6[0]; r2 += -$ethernet; r1 = u64 r0[8]; r1 += r2; u64 r0[8] = r1
            $after:
        };
    };
    return load_bpf(qq{
            r6 = r1 # the frame
            r7 = u32 r6[16]
            r2 = u32 r6[40]; u32 r10[-4] = r2
            r1 = map $ways; r2 = r10; r2 += -4; call $look_up
            if r0 == 0 goto to_nft
            r8 = r0 # its way
            r9 = u16 r8[10] # flags
            if r7 == $ip goto ip
            if r7 != $ip6 goto to_nft
            if r9 & $flag{ip6} goto ip6
            goto to_nft
        ip6: # what is for hosts of one link, or may be a question for one, nft looks at
            r0 = u8 frame[$destination]
            if r0 >= $link_local goto to_nft
            r0 = u8 frame[$next_header]
            if r0 == $tcp goto taken
            if r0 == $udp goto taken
            goto to_nft
        ip:
            if r9 & $flag{ip} goto taken
            goto to_nft
        taken:
            r7 = r8 # what begins with the interface to go to: the way, or a port on a segment
            if r9 & $flag{leaves} goto leaves
            if r9 & $flag{rewritten} goto rewritten
            goto on
        leaves: # by the port that has the hardware address which the frame is for
            r0 = u32 frame[0]; u32 r10[-12] = r0
            r0 = u16 frame[4]; u32 r10[-8] = r0
            r1 = u32 r8[0]; u32 r10[-16] = r1
            r1 = map $holders; r2 = r10; r2 += -16; call $look_up
            if r0 == 0 goto to_nft
            r7 = r0
            @{[ $count->('r7', 4, 'sent') ]}
            goto on
        rewritten:
            r1 = r6; r2 = 0; r3 = r8; r3 += 4; r4 = 6; r5 = 0; call $store_bytes
        on:
            @{[ $count->('r8', 16, 'counted') ]}
            @{[ $count->('r8', 20, 'counted_again') ]}
            r1 = r6; r2 = 0; call $change_type # it is for the guest: no driver looks at the address again
            r1 = u32 r7[0]; r2 = 0; call $redirect_peer
            exit
        to_nft:
            r0 = -1 # TC_ACT_UNSPEC
            exit
    });
}

# Where the program is at an interface, another one takes its place.
sub attach {
    my ($socket, $index) = @_;
    return 1 if $at{$index};
    my $qdisc = pack 'C x3 l L L L', 0, $index, $clsact_handle, $clsact, 0;
    ask($socket, $message{new_qdisc}, $acknowledge | $create | $exclusive, $qdisc . text_attribute($tca_kind, 'clsact')) || $!{EEXIST} or return;
    my $filter = pack 'C x3 l L L L', 0, $index, 1, $at_ingress, $first | $every_protocol;
    my $options = attribute($bpf_fd, pack 'L', $program) . text_attribute($bpf_name, 'nfio') . attribute($bpf_flags, pack 'L', $direct_action);
    my $content = $filter . text_attribute($tca_kind, 'bpf') . attribute($tca_options, $options);
    return $at{$index} = ask($socket, $message{new_filter}, $acknowledge | $create | $replace, $content);
}

sub link_named {
    my ($socket, $name) = @_;
    my $answer = ask($socket, $message{get_link}, 0, pack('x16') . text_attribute($ifla_name, $name)) // return;
    my ($index, %attributes) = (unpack('x20 l', $answer), attributes_in(substr $answer, 32));
    my %info = attributes_in($attributes{$ifla_linkinfo} // '');
    return { index => $index, kind => unpack('Z*', $info{$kind} // ''), qdisc => unpack('Z*', $attributes{$ifla_qdisc} // '') };
}

# Resolves to the answer of rtnetlink(7); undefined for an error.
sub ask {
    my ($socket, $type, $flags, $content) = @_;
    my $header = pack 'L S S L L', 16 + length $content, $type, $flags | $request, 0, 0;
    defined send($socket, $header . $content, 0) && defined recv($socket, my $answer, 1 << 15, 0) or fail('rtnetlink');
    my ($kind, $error) = unpack 'x4 S x10 l', $answer;
    return $answer if $kind != $nlmsg_error;
    $! = -$error;
    return $error == 0 ? $answer : undef;
}
