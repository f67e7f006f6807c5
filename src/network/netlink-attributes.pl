# Attributes of netlink messages (netlink(7), rtnetlink(7)), for programs in Perl to require.
use strict;
use warnings;

sub attribute {
    my ($type, $value) = @_;
    my $bytes = pack('S S', 4 + length $value, $type) . $value;
    return $bytes . "\0" x (-length($bytes) & 3);
}

sub text_attribute {
    my ($type, $text) = @_;
    return attribute($type, "$text\0");
}

# One of them, undefined where it is not there.
sub attribute_in {
    my ($bytes, $wanted) = @_;
    for (my $at = 0; $at + 4 <= length $bytes; ) {
        my ($length, $type) = unpack 'S S', substr $bytes, $at, 4;
        return undef if $length < 4;
        return substr $bytes, $at + 4, $length - 4 if $type == $wanted;
        $at += $length + 3 & ~3;
    }
    return undef;
}

# By type, without the bits that tell of nesting and byte order.
sub attributes_in {
    my ($bytes) = @_;
    my %found;
    while (length $bytes >= 4) {
        my ($length, $type) = unpack 'S S', $bytes;
        last if $length < 4 || $length > length $bytes;
        $found{ $type & 0x3fff } = substr $bytes, 4, $length - 4;
        $bytes = length $bytes > ($length + 3 & ~3) ? substr $bytes, $length + 3 & ~3 : '';
    }
    return %found;
}

1;
