# Takes from this process, for good, what a guest must not have. For guest-launcher.pl and guest-entry.pl, who load it while they are in the machine's root.
#
# It uses no other module: each takes a command's start as long as all that is done here.
use strict;

# System calls by number (asm/unistd_64.h, asm-generic/unistd.h).
my %numbers = (
    x86_64 => { prctl => 157, capget => 125, capset => 126 },
    aarch64 => { prctl => 167, capget => 90, capset => 91 },
);
my $einval = 22;
my ($pr_capbset_drop, $pr_set_no_new_privs, $pr_cap_ambient, $pr_cap_ambient_clear_all) = (24, 38, 47, 4);
my ($pr_set_seccomp, $seccomp_mode_filter) = (22, 2);
my $capability_version = 0x20080522;

# On a machine of that kind, as uname(2) names it, gives up all capabilities but those of the mask, and then all system calls but those of the filter (seccomp/compile.ts, in hexadecimal). False, with $! set, where that fails.
sub restrict {
    my ($machine, $kept, $filter) = @_;
    my $call = $numbers{$machine} or return 0;
    return keep_capabilities($call, 0 + $kept) && filter_calls($call, pack 'H*', $filter);
}

sub keep_capabilities {
    my ($call, $kept) = @_;
    for my $number (0 .. 63) {
        next if $kept >> $number & 1;
        next if syscall($call->{prctl}, $pr_capbset_drop, $number, 0, 0, 0) == 0;
        $! == $einval ? last : return 0; # beyond the last one this kernel knows
    }
    syscall($call->{prctl}, $pr_cap_ambient, $pr_cap_ambient_clear_all, 0, 0, 0) == 0 or return 0;
    syscall($call->{prctl}, $pr_set_no_new_privs, 1, 0, 0, 0) == 0 or return 0;
    my ($header, $sets) = (pack('L2', $capability_version, 0), "\0" x 24);
    syscall($call->{capget}, $header, $sets) == 0 or return 0;
    my ($low, $high) = (unpack 'L6', $sets)[1, 4];
    ($low, $high) = ($low & $kept, $high & $kept >> 32);
    my $kept_sets = pack 'L6', $low, $low, 0, $high, $high, 0;
    return syscall($call->{capset}, $header, $kept_sets) == 0;
}

# struct sock_fprog (linux/filter.h): how many instructions, and where.
sub filter_calls {
    my ($call, $filter) = @_;
    my $program = pack 'S x!8 P', length($filter) / 8, $filter;
    return syscall($call->{prctl}, $pr_set_seccomp, $seccomp_mode_filter, $program) == 0;
}

1;
