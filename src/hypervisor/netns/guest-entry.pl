# Becomes a program in a guest, for execute.ts: gives up what the guest must not have, and enters the guest's root, in which it works already. nsenter(1) has put it into the
# guest's namespaces. It is loaded from the machine's root and has, until the end, more capabilities than the guest, which so cannot reach it.
#
#   perl guest-entry.pl MACHINE CAPABILITIES FILTER PROGRAM ARGUMENT…
#
# MACHINE is as uname(2) names it, CAPABILITIES a mask, and FILTER in hexadecimal; the last two are empty for a privileged guest.
use strict;
require($0 =~ s{[^/]*$}{guest-restriction.pl}r);

my ($machine, $capabilities, $filter, @program) = @ARGV;
# No module is loaded from here on: the guest wrote what is found.
@INC = ();
chroot '.' or give_up(125, "the guest's root");
$capabilities eq '' or restrict($machine, $capabilities, $filter) or give_up(125, 'restricting the command');
exec { $program[0] } @program;
give_up(127, $program[0]);

sub give_up {
    my ($code, $what) = @_;
    syswrite STDERR, "$what: $!\n";
    exit $code;
}
