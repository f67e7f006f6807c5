# What resident programs in Perl share that answer each request by a line, for resident-program.ts; network-requests.pl goes with it.
use strict;
use warnings;
use Fcntl qw(O_RDONLY);

# Answers requests until there are no more. Each is carried out by a function that gets its words, the first of them its ID, and says the last line that
# is said of it; "ping" is answered by "pong"; one that fails is answered by "ID fail ERRNO STEP: WHY". Between requests no network namespace but this process's own is held.
sub answer_requests {
    my ($carry_out) = @_;
    sysopen(my $own, '/proc/self/ns/net', O_RDONLY) or exit 1;
    while (1) {
        read_request(\my $request);
        my ($id, @words) = split /\0/, $request, -1;
        say_line("$id pong "), next if $words[0] eq 'ping';
        my $said = eval { $carry_out->($id, @words) } // 'fail ' . ($@ =~ s/\s+/ /gr);
        return_to_network($own);
        say_line("$id $said");
    }
}

sub say_line {
    syswrite STDOUT, substr($_[0], 0, 600) . "\n";
}

sub fail {
    my ($step, $why) = @_;
    die sprintf "%d %s: %s\n", $!, $step, $why // "$!";
}

1;
