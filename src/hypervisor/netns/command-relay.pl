# Stands between nf.io and a program in a guest, for execute.ts: hands on what the program reads and prints. When nf.io is killed the program goes on, and what it printed since it was
# last given something, and prints from then on, goes to a file, for the server that takes over. It ends as the program does. Beside that file, FILE.state has what else a
# server has to know: "given N", how many bytes the program was given in all, and "ended STATUS".
#
#   perl command-relay.pl FILE PROGRAM ARGUMENT…
use strict;
use warnings;
use Fcntl qw(O_CREAT O_TRUNC O_WRONLY);

# Most that is kept, and how much of the end of what is longer. Bytes.
my ($most, $end) = (16 << 20, 4096);

my ($path, @program) = @ARGV;
$SIG{PIPE} = 'IGNORE';
pipe(my $ended, my $ends) or exit 125;
$SIG{CHLD} = sub { syswrite $ends, '.' };
pipe(my $program_reads, my $to_program) and pipe(my $from_program, my $program_prints) or exit 125;
my $pid = fork // exit 125;
if (!$pid) {
    open(STDIN, '<&', $program_reads) and open(STDOUT, '>&', $program_prints) and open(STDERR, '>&', $program_prints) or exit 125;
    $SIG{PIPE} = 'DEFAULT';
    exec @program or exit 127;
}
close $program_reads;
close $program_prints;

my ($kept, $more, $server) = ("", "", 1);
my ($file, $state);
my $given = 0;

# Puts output where the next server finds it; of what is too long, the beginning and the end.
sub keep {
    my ($data) = @_;
    my $room = $most - length $kept;
    $kept .= substr $data, 0, $room > 0 ? $room : 0;
    $more = substr $more . substr($data, $room > 0 ? $room : 0), -$end if length $data > $room;
    return if $server;
    syswrite $file, substr $data, 0, $room if $room > 0;
}

sub server_is_gone {
    return if !$server;
    while (take_input()) { }
    $server = 0;
    sysopen($file, $path, O_WRONLY | O_CREAT | O_TRUNC, 0600) and syswrite $file, $kept;
    sysopen($state, "$path.state", O_WRONLY | O_CREAT | O_TRUNC, 0600) and syswrite $state, "given $given\n";
}

# Hands on what the server gives; false at the end of it.
sub take_input {
    return 0 if !$to_program;
    if (sysread STDIN, my $data, 65536) {
        ($kept, $more) = ('', '');
        $given += length $data;
        syswrite $to_program, $data;
        return 1;
    }
    close $to_program;
    undef $to_program;
    return 0;
}

# What it left in the background may hold its output open: after its end that is read while the last of it arrives.
my ($has_ended, $last_moment) = (0, 0);
while (1) {
    my $wanted = '';
    vec($wanted, fileno $from_program, 1) = 1;
    vec($wanted, fileno $ended, 1) = !$has_ended;
    vec($wanted, 0, 1) = 1 if $to_program;
    vec($wanted, 1, 1) = $server; # readable once nobody reads it any more
    my $ready = select $wanted, undef, undef, $has_ended ? 0.2 : undef;
    next if $ready < 0;
    last if $has_ended && ($ready == 0 || time > $last_moment);
    ($has_ended, $last_moment) = (1, time + 2) if vec $wanted, fileno $ended, 1;
    if (vec $wanted, 1, 1) { server_is_gone() }
    elsif (vec $wanted, 0, 1) { take_input() }
    next if !vec $wanted, fileno $from_program, 1;
    last if !sysread $from_program, my $data, 65536;
    keep($data);
    server_is_gone() if $server && !print_all($data);
}
syswrite $file, $more if $file && $more ne '';
waitpid $pid, 0;
my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
syswrite $state, "ended $status\n" if $state;
exit $status;

sub print_all {
    my ($data) = @_;
    for (my $at = 0; $at < length $data;) {
        my $written = syswrite STDOUT, $data, length($data) - $at, $at;
        return 0 if !defined $written;
        $at += $written;
    }
    return 1;
}
