# Changes the networks of guests that run, for network-changer.ts: their ports, routes and settings, without a program for each.
#
# A request has the words: ID, path of the fabric's namespace, path of the guest's, and lists of settings and of requests to rtnetlink as
# network-requests.pl takes them. It is answered by a line: "ID done " or "ID fail ERRNO STEP: WHY".
use strict;
use warnings;
require($0 =~ s{[^/]*$}{network-requests.pl}r);
require($0 =~ s{[^/]*$}{answer-requests.pl}r);

$0 = $ARGV[0];
answer_requests(\&change);

sub change {
    my ($id, $fabric, $guest, @words) = @_;
    my @settings = take_list(\@words);
    my @requests = take_list(\@words);
    my %sockets = (fabric => socket_in($fabric), guest => socket_in($guest));
    set_kernel_settings(\@settings, 'existing');
    send_requests(\@requests, \%sockets);
    set_kernel_settings(\@settings, 'all');
    return 'done ';
}
