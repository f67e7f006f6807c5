# Becomes a program in a guest, for execute.ts: gives up what the guest must not have, and enters the guest's root, in which it works already. nsenter(1) has put it into the
# guest's namespaces. It is loaded from the machine's root and has, until the end, more capabilities than the guest, which so cannot reach it.
#
#   perl guest-entry.pl CAPABILITIES FILTER PROGRAM ARGUMENT…
#
# CAPABILITIES is a mask, and FILTER in hexadecimal; both are empty for a privileged guest.
use strict;
use warnings;
require($0 =~ s{[^/]*$}{guest-restriction.pl}r);

my ($capabilities, $filter, @program) = @ARGV;
# No module is loaded from here on: the guest wrote what is found.
@INC = ();
chroot '.' or give_up(125, "the guest's root");
$capabilities eq '' or restrict($capabilities, $filter) or give_up(125, 'restricting the command');
no warnings 'exec';
exec { $program[0] } @program;
give_up(127, $program[0]);

sub give_up {
    my ($code, $what) = @_;
    syswrite STDERR, "$what: $!\n";
    exit $code;
}
