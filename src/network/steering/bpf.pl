# Maps and programs of BPF by system calls (bpf(2), linux/bpf.h), for programs that require it. What fails returns undef; $! is the error then.
use strict;
use warnings;
use Errno qw(ENOSYS);
use POSIX ();

# By number: asm/unistd_64.h, asm-generic/unistd.h. Another processor has no BPF, as far as we know.
my $bpf = { x86_64 => 321, aarch64 => 280 }->{ (POSIX::uname())[4] };
my %command = (
    create_map => 0, look_up => 1, update => 2, delete => 3, next_key => 4, load_program => 5, next_map => 12, open_map => 14, describe => 15,
);
my ($no_preallocation, $most_entries, $classifier) = (1, 1 << 14, 3);

# Instructions, and labels between them. Resolves to a descriptor of the program, undefined when the kernel does not take it.
sub assemble {
    my (%place, @instructions);
    for (@_) {
        if (ref) { push @instructions, $_ }
        else { $place{$_} = @instructions }
    }
    my $code = '';
    for my $number (0 .. $#instructions) {
        my ($operation, $to, $from, $offset, $value) = map { $_ // 0 } @{ $instructions[$number] }[0 .. 4];
        $offset = $place{$offset} - $number - 1 if exists $place{$offset};
        $code .= pack 'C C s l', $operation, $from << 4 | $to, $offset, $value;
    }
    my $license = "Apache-2.0\0";
    return bpf('load_program', pack 'L L P P x80', $classifier, scalar @instructions, $code, $license);
}

# A map of this name that is there, or a new one; undefined when the kernel has none.
sub open_map {
    my ($name, @layout) = @_;
    my $id = 0;
    while (defined(my $next = next_map($id))) {
        $id = $next;
        my $map = bpf('open_map', pack 'L x12', $id) // next;
        return $map if name_of($map) eq $name;
        POSIX::close($map);
    }
    return bpf('create_map', pack 'L5 x8 a16', @layout, $most_entries, $no_preallocation, $name);
}

sub next_map {
    my ($after) = @_;
    my $attributes = pack 'L x12', $after;
    return bpf('next_map', $attributes) && unpack 'x4 L', $attributes;
}

sub name_of {
    my ($map) = @_;
    my $description = "\0" x 80;
    bpf('describe', pack 'L L P', $map, length $description, $description) // return '';
    return unpack 'x24 Z16', $description;
}

sub keys_of {
    my ($map, $size) = @_;
    my @keys;
    my $key = '';
    my $next = "\0" x $size;
    while (defined bpf('next_key', pack 'L x4 P P', $map, $key eq '' ? undef : $key, $next)) {
        $key = substr $next, 0, $size;
        push @keys, $key;
    }
    return @keys;
}

sub look_up {
    my ($map, $key, $size) = @_;
    my $value = "\0" x $size;
    return defined bpf('look_up', pack 'L x4 P P x8', $map, $key, $value) ? $value : undef;
}

sub update_entry {
    my ($map, $key, $value, $how) = @_;
    return bpf('update', pack 'L x4 P P Q', $map, $key, $value, $how);
}

sub delete_entry {
    my ($map, $key) = @_;
    return bpf('delete', pack 'L x4 P x16', $map, $key);
}

# Resolves to what the kernel returned, "0 but true" for 0; undefined for an error, which $! is then. Attributes are written to as well.
sub bpf {
    if (!defined $bpf) {
        $! = ENOSYS;
        return;
    }
    my $result = syscall $bpf, $command{ $_[0] }, $_[1], length $_[1];
    return $result < 0 ? undef : $result || '0 but true';
}

sub possible_processors {
    open my $file, '<', '/sys/devices/system/cpu/possible' or return 1;
    return <$file> =~ /(\d+)$/ ? $1 + 1 : 1;
}

1;
