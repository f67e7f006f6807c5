# Maps and programs of BPF by system calls (bpf(2), linux/bpf.h), for programs that require it. What fails returns undef; $! is the error then.
use strict;
use warnings;
use Errno qw(ENOSYS);
use POSIX ();

# By number: asm/unistd_64.h, asm-generic/unistd.h. Another processor has no BPF, as far as we know.
my $bpf = { x86_64 => 321, aarch64 => 280 }->{ (POSIX::uname())[4] };
my %command = (
    create_map => 0, look_up => 1, update => 2, delete => 3, next_key => 4, load_program => 5, next_map => 12, open_map => 14, describe => 15,
    bind_map => 35,
);
my ($no_preallocation, $most_entries, $classifier) = (1, 1 << 14, 3);
my %map_type = (hash => 1, percpu_array => 6);

# Loads a program: lines of what `assemble` knows. Resolves to a descriptor; undefined when the kernel does not take it.
sub load_bpf {
    my $code = assemble($_[0]);
    my $license = "Apache-2.0\0";
    return bpf('load_program', pack 'L L P P x80', $classifier, length($code) / 8, $code, $license);
}

# Classes, sizes and operations of instructions (linux/bpf_common.h); a line, without its comment, and what it is: operation, register that is
# written or compared, register that is read, offset or label, number.
my %size = (u8 => 0x10, u16 => 0x08, u32 => 0x00, u64 => 0x18);
my %jump = ('==' => 0x15, '!=' => 0x55, '>=' => 0x35, '&' => 0x45);
my @forms = (
    [qr/^r(\d+) = r(\d+)$/, sub { [0xbf, $1, $2, 0, 0] }],
    [qr/^r(\d+) = (-?\d+)$/, sub { [0xb7, $1, 0, 0, $2] }],
    [qr/^r(\d+) = map (\d+)$/, sub { [0x18, $1, 1, 0, $2], [0, 0, 0, 0, 0] }],
    [qr/^r(\d+) \+= r(\d+)$/, sub { [0x0f, $1, $2, 0, 0] }],
    [qr/^r(\d+) \+= (-?\d+)$/, sub { [0x07, $1, 0, 0, $2] }],
    [qr/^r(\d+) = (u\d+) r(\d+)\[(-?\d+)\]$/, sub { [0x61 | $size{$2}, $1, $3, $4, 0] }],
    [qr/^(u\d+) r(\d+)\[(-?\d+)\] = r(\d+)$/, sub { [0x63 | $size{$1}, $2, $4, $3, 0] }],
    [qr/^r0 = (u\d+) frame\[(\d+)\]$/, sub { [0x20 | $size{$1}, 0, 0, 0, $2] }],
    [qr/^if r(\d+) (==|!=|>=|&) (\d+) goto (\w+)$/, sub { [$jump{$2}, $1, 0, $4, $3] }],
    [qr/^goto (\w+)$/, sub { [0x05, 0, 0, $1, 0] }],
    [qr/^call (\d+)$/, sub { [0x85, 0, 0, 0, $1] }],
    [qr/^exit$/, sub { [0x95, 0, 0, 0, 0] }],
);

sub assemble {
    my ($text) = @_;
    my (%place, @instructions);
    for my $line (grep { $_ ne '' } map { s/\s*#.*|^\s+|\s+$//gr } split /\n|;/, $text) {
        if ($line =~ /^(\w+):$/) {
            $place{$1} = @instructions;
            next;
        }
        my @made = map { $line =~ $_->[0] ? $_->[1]->() : () } @forms or die "no instruction: $line\n";
        push @instructions, @made;
    }
    my $code = '';
    for my $number (0 .. $#instructions) {
        my ($operation, $to, $from, $offset, $value) = @{ $instructions[$number] };
        $offset = $place{$offset} - $number - 1 if exists $place{$offset};
        $code .= pack 'C C s l', $operation, $from << 4 | $to, $offset, $value;
    }
    return $code;
}

# A map of this name that is there, or a new one, of a type, with keys and values of so many bytes; undefined when the kernel has none.
sub open_map {
    my ($name, $type, $key_bytes, $value_bytes) = @_;
    my $id = 0;
    while (defined(my $next = next_map($id))) {
        $id = $next;
        my $map = bpf('open_map', pack 'L x12', $id) // next;
        return $map if name_of($map) eq $name;
        POSIX::close($map);
    }
    my $flags = $type eq 'hash' ? $no_preallocation : 0;
    return bpf('create_map', pack 'L5 x8 a16', $map_type{$type}, $key_bytes, $value_bytes, $most_entries, $flags, $name);
}

# Keeps a map that the program does not use for as long as there is the program.
sub bind_map {
    my ($program, $map) = @_;
    return bpf('bind_map', pack 'L L x4', $program, $map);
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
    my ($map, $key, $value) = @_;
    return bpf('update', pack 'L x4 P P x8', $map, $key, $value);
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

sub most_entries {
    return $most_entries;
}

sub possible_processors {
    open my $file, '<', '/sys/devices/system/cpu/possible' or return 1;
    return <$file> =~ /(\d+)$/ ? $1 + 1 : 1;
}

1;
