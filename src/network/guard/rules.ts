/** The table of a fabric that guards ports. Its names, and those of what is in it, are in elements.ts and here. */
export const guardTableName = 'nfio_guard';
const table = `bridge ${guardTableName}`;

/** Counts all frames that were dropped, of whichever port. */
export const droppedName = 'dropped';

/**
 * Sets, by the interface that a frame comes from. Bytes of IPv6 addresses are looked up in packets where nft has no name for them, so that all are declared as raw.
 */
const sets: Readonly<Record<string, string>> = {
  macs: 'set macs { type ifname . ether_addr; }',
  ipv4: 'set ipv4 { type ifname . ipv4_addr; }',
  ipv6: 'set ipv6 { typeof iifname . @nh,64,128; }',
  trusted: 'set trusted { type ifname; }',
  loose4: 'set loose4 { type ifname; }',
  loose6: 'set loose6 { type ifname; }',
  segments: 'map segments { type ifname : mark; }',
  taken4: 'set taken4 { type mark . ipv4_addr; }',
  taken6: 'set taken6 { typeof meta mark . @nh,64,128; }',
  kinds: 'map kinds { type ifname : verdict; }',
  drops: 'map drops { type ifname : counter; }',
};

export const setNames: readonly string[] = Object.keys(sets);

const claims = ['icmpv6 type nd-neighbor-advert', 'icmpv6 type nd-neighbor-solicit ip6 saddr ::'];

/**
 * What becomes of a frame from a port. The target of neighbour discovery is at byte 8 of its message. Each rule names its protocol by `meta protocol`: nft would add
 * `ether type` else, which a frame with the tag of VLAN 0 does not have, though hosts take it as one without a tag.
 */
const chains: Readonly<Record<string, readonly string[]>> = {
  refuse: ['counter name iifname map @drops', `counter name ${droppedName} drop`],
  // Who sends to the port of clients is a server: clients do not look at where an answer comes from.
  services4: ['meta protocol ip udp dport 68 iifname != @trusted goto refuse'],
  services6: ['meta protocol ip6 udp dport 546 iifname != @trusted goto refuse'],
  host4: each('meta protocol ip', [
    'iifname . ip saddr @ipv4 goto services4',
    'ip saddr 0.0.0.0 goto services4',
    'iifname != @loose4 goto refuse',
    'goto untaken4',
  ]),
  untaken4: each('meta protocol ip', [
    'meta mark set iifname map @segments',
    'meta mark . ip saddr != @taken4 goto services4',
    'iifname . ip saddr @ipv4 goto services4',
    'goto refuse',
  ]),
  host6: each('meta protocol ip6', [
    'iifname . @nh,64,128 @ipv6 goto services6',
    'ip6 saddr :: goto services6',
    'iifname != @loose6 goto refuse',
    'goto untaken6',
  ]),
  untaken6: each('meta protocol ip6', [
    'meta mark set iifname map @segments',
    'meta mark . @nh,64,128 != @taken6 goto services6',
    'iifname . @nh,64,128 @ipv6 goto services6',
    'goto refuse',
  ]),
  neighbours4: each('meta protocol arp', [
    'iifname . arp saddr ether != @macs goto refuse',
    'iifname . arp saddr ip @ipv4 accept',
    'arp saddr ip 0.0.0.0 accept',
    'iifname != @loose4 goto refuse',
    'meta mark set iifname map @segments',
    'meta mark . arp saddr ip @taken4 goto refuse',
  ]),
  // Nothing of neighbour discovery comes from behind a router (RFC 4861). Asking for an address without having one is claiming it.
  neighbours6: each('meta protocol ip6', [
    'icmpv6 type nd-router-advert iifname != @trusted goto refuse',
    ...claims.map((claim) => `${claim} iifname . @th,64,128 != @ipv6 goto claims6`),
    'goto host6',
  ]),
  claims6: each('meta protocol ip6', [
    'iifname != @loose6 goto refuse',
    'meta mark set iifname map @segments',
    'meta mark . @th,64,128 @taken6 goto refuse',
    'goto host6',
  ]),
  host: [
    'iifname . ether saddr != @macs goto refuse',
    'meta protocol ip goto host4',
    'meta protocol arp goto neighbours4',
    'meta protocol ip6 icmpv6 type 133-137 goto neighbours6',
    'meta protocol ip6 goto host6',
  ],
  forwarder: [
    'iifname . ether saddr != @macs goto refuse',
    'meta protocol ip goto untaken4',
    'meta protocol arp goto neighbours4',
    'meta protocol ip6 icmpv6 type 133-137 goto neighbours6',
    'meta protocol ip6 goto untaken6',
  ],
  enter: ['iifname vmap @kinds'],
};

function each(condition: string, rules: readonly string[]): string[] {
  return rules.map((rule) => `${condition} ${rule}`);
}

/** Before a bridge learns where a frame comes from. */
const hook = 'type filter hook prerouting priority -300; policy accept;';

/** Makes the table, in place of what an earlier version of nf.io made of it, and keeps what is in its sets, and its counters. */
export function guardRules(): string {
  const names = Object.keys(chains);
  return [
    `add table ${table}`,
    `add counter ${table} ${droppedName}`,
    `table ${table} {\n${Object.values(sets).join('\n')}\n}`,
    ...names.map((name) => `add chain ${table} ${name}${name === 'enter' ? ` { ${hook} }` : ''}`),
    ...names.map((name) => `flush chain ${table} ${name}`),
    ...Object.entries(chains).flatMap(([name, rules]) => rules.map((rule) => `add rule ${table} ${name} ${rule}`)),
    '',
  ].join('\n');
}

/** Makes the table anew, whatever is there by its name. */
export function newGuardRules(): string {
  return `add table ${table}\ndelete table ${table}\n${guardRules()}`;
}
