# What resident programs in Perl share that answer each request by a line, for resident-program.ts; network-requests.pl goes with it.
use strict;
use warnings;
use Fcntl qw(O_RDONLY);

# Answers requests until there are no more.
sub answer_requests {
    my ($carry_out) = @_;
    my $own = own_network();
    answer_request($own, $carry_out) while 1;
}

# Answers the next request. It is carried out by a function that gets its words, the first of them its ID, and says the last line that is said of it; "ping" is
# answered by "pong"; one that fails is answered by "ID fail ERRNO STEP: WHY". Between requests no network namespace but this process's own is held.
sub answer_request {
    my ($own, $carry_out) = @_;
    read_request(\my $request);
    my ($id, @words) = split /\0/, $request, -1;
    return say_line("$id pong ") if $words[0] eq 'ping';
    my $said = eval { $carry_out->($id, @words) } // failure();
    return_to_network($own);
    say_line("$id $said");
}

# The network namespace of this process, to return to.
sub own_network {
    sysopen(my $own, '/proc/self/ns/net', O_RDONLY) or exit 1;
    return $own;
}

# What is said of the request that just failed.
sub failure {
    return 'fail ' . ($@ =~ s/\s+/ /gr);
}

sub say_line {
    syswrite STDOUT, substr($_[0], 0, 600) . "\n";
}

sub fail {
    my ($step, $why) = @_;
    die sprintf "%d %s: %s\n", $!, $step, $why // "$!";
}

1;
