# Changes the networks of guests that run, for network-changer.ts: their ports, routes and settings, without a program for each.
#
# A request has the words: ID, path of the fabric's namespace, path of the guest's or nothing, and lists of settings and of requests to rtnetlink as
# network-requests.pl takes them. It is answered by a line: "ID done " or "ID fail ERRNO STEP: WHY".
use strict;
use warnings;
our $netlink_netfilter;
require($0 =~ s{[^/]*$}{network-requests.pl}r);
require($0 =~ s{[^/]*$}{answer-requests.pl}r);

# Sockets of the fabric are kept: the kernel takes long to close one for frames. Another namespace may have its path by now.
my %kept = (namespace => '');

$0 = $ARGV[0];
answer_requests(\&change);

sub change {
    my ($id, $fabric, $guest, @words) = @_;
    my @settings = take_list(\@words);
    my @requests = take_list(\@words);
    my %sockets = (fabric_sockets($fabric), $guest eq '' ? () : (guest => socket_in($guest)));
    set_kernel_settings(\@settings, 'existing');
    send_requests(\@requests, \%sockets);
    set_kernel_settings(\@settings, 'all');
    return 'done ';
}

sub fabric_sockets {
    my ($path) = @_;
    my ($device, $number) = stat $path or fail('network');
    my $namespace = "$device $number";
    %kept = (namespace => $namespace, fabric => socket_in($path), frame => frame_socket(), rules => netlink($netlink_netfilter)) if $kept{namespace} ne $namespace;
    return map { $_ => $kept{$_} } qw(fabric frame rules);
}
