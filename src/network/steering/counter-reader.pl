# Reads counters of nft by their names, for counter-reader.ts (linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h).
#
# A request has the words ID, path of the fabric's namespace, number of a family, name of a table of it, and a list of names of counters. It is answered by a
# line "ID count NAME PACKETS BYTES" for each that is there, and then by "ID done", or by "ID fail ERRNO STEP: WHY". One with an empty name of a table is answered by
# "ID done GENERATION": a number that is another after each change of the namespace's rules, whoever makes it.
use strict;
use warnings;
use Errno qw(ENOENT);
require($0 =~ s{steering/[^/]*$}{network-requests.pl}r);
require($0 =~ s{steering/[^/]*$}{answer-requests.pl}r);
require($0 =~ s{steering/[^/]*$}{netlink-attributes.pl}r);

my ($netlink_netfilter, $nlmsg_error, $request) = (12, 2, 1);
my ($get_generation, $get_object) = (10 << 8 | 16, 10 << 8 | 19);
my ($object_table, $object_name, $object_type, $object_data, $counter) = (1, 2, 3, 4, 1);
my ($counter_bytes, $counter_packets) = (1, 2);
my $generation_id = 1;
# Answers wait in the socket until they are taken in.
my $most_at_once = 64;

$0 = $ARGV[0];

answer_requests(sub {
    my ($id, $fabric, $family, $table, @words) = @_;
    my @names = take_list(\@words);
    return 'done ' if !@names && $table ne '';
    my $socket = socket_in($fabric, $netlink_netfilter);
    return 'done ' . generation($socket) if $table eq '';
    say_counters($id, $socket, [$family, $table], splice @names, 0, $most_at_once) while @names;
    return 'done ';
});

sub generation {
    my ($socket) = @_;
    defined send($socket, pack('L S S L L C C n', 20, $get_generation, $request, 0, 0, 0, 0, 0), 0) or fail('nfnetlink');
    defined recv($socket, my $answer, 8192, 0) or fail('nfnetlink');
    my ($type, $error) = unpack 'x4 S x10 l', $answer;
    $! = -$error, fail('generation of rules') if $type == $nlmsg_error;
    my %value = attributes_in(substr $answer, 20);
    return unpack 'N', $value{$generation_id};
}

sub say_counters {
    my ($id, $socket, $table, @names) = @_;
    my $questions = join '', map { question(@$table, $_) } @names;
    defined send($socket, $questions, 0) or fail('nfnetlink');
    for my $name (@names) {
        defined recv($socket, my $answer, 8192, 0) or fail('nfnetlink');
        my ($type, $error) = unpack 'x4 S x10 l', $answer;
        if ($type == $nlmsg_error) {
            $! = -$error;
            next if $! == ENOENT;
            fail($name);
        }
        my %object = attributes_in(substr $answer, 20);
        my %value = attributes_in($object{$object_data} // '');
        say_line(sprintf '%s count %s %s %s', $id, $name, map { unpack 'Q>', $value{$_} // "\0" x 8 } $counter_packets, $counter_bytes);
    }
}

# Answered in the order they were asked in.
sub question {
    my ($family, $table, $name) = @_;
    my $attributes = text_attribute($object_table, $table) . text_attribute($object_name, $name) . attribute($object_type, pack 'N', $counter);
    return pack('L S S L L C C n', 20 + length $attributes, $get_object, $request, 0, 0, $family, 0, 0) . $attributes;
}
