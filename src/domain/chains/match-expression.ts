import { NfioError } from '../../errors/index.ts';
import { addressBits, type Cidr, type Family, parseAddress, parseCidr } from '../ip.ts';
import { familyCondition, familyField } from './families.ts';
import type { MatchCondition } from './match.ts';

/** A part of a rule as `nft -j` prints it (libnftables-json(5)). */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a classifier may look at: what is the same on the whole way of a packet, and can be told of one that comes back. */
const protocols: ReadonlySet<string> = new Set('ip ip6 tcp udp udplite sctp dccp icmp icmpv6 th esp ah comp'.split(' '));
const metaKeys: ReadonlySet<string> = new Set(['l4proto', 'length', 'protocol', 'nfproto']);

const exchanged: Readonly<Record<string, string>> = {
  saddr: 'daddr',
  daddr: 'saddr',
  sport: 'dport',
  dport: 'sport',
  'echo-request': 'echo-reply',
  'echo-reply': 'echo-request',
};

/** Numbers of protocols (RFC 790 and its successors) that nft prints by name. */
const protocolNumbers: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  icmpv6: 58,
  comp: 108,
  sctp: 132,
  udplite: 136,
};

/** The version of IP that a protocol belongs to, or that `meta protocol` names. */
const familyOfProtocol: Readonly<Record<string, Family>> = { ip: 4, icmp: 4, ip6: 6, icmpv6: 6 };

/**
 * Refuses a rule that does anything but compare.
 *
 * @param expressions of the rule, without its verdict.
 * @throws InvalidValueError (EINVAL) naming what is too much.
 */
export function checkExpressions(expressions: readonly Json[]): void {
  for (const expression of expressions) {
    const [kind = ''] = keysOf(expression);
    if (kind !== 'match') throw refuse(`"${kind}" is no condition: a match says which packets, not what becomes of them`);
    checkLeft(childOf(childOf(expression, 'match'), 'left'));
    if (JSON.stringify(childOf(childOf(expression, 'match'), 'right')).includes('"@')) throw refuse('named sets cannot be part of a match');
  }
}

/** The same for packets that come back: source and destination change places. */
export function exchange(expression: Json): Json {
  if (typeof expression === 'string') return expression;
  if (Array.isArray(expression)) return expression.map(exchange);
  if (typeof expression !== 'object' || expression === null) return expression;
  return Object.fromEntries(
    Object.entries(expression).map(([key, value]) => {
      const swaps = key === 'field' || key === 'right';
      return [key, swaps ? exchangeWords(value) : exchange(value as Json)];
    }),
  );
}

/** Fields of what a packet is for, when it comes back: an address, a port, the number of an echo. */
const ofReceiver: ReadonlySet<string> = new Set(['daddr', 'dport', 'id']);

/** Those that are not about what a translation changes: of a packet that comes back who it is for. */
export function withoutReceiver(expressions: readonly Json[]): Json[] {
  return expressions.filter((expression) => !looksAtReceiver(childOf(childOf(expression, 'match'), 'left')));
}

function looksAtReceiver(left: Json): boolean {
  if (Array.isArray(left)) return left.some((each) => looksAtReceiver(each as Json));
  if (ofReceiver.has(String(childOf(childOf(left, 'payload'), 'field')))) return true;
  return keysOf(left).some((key) => looksAtReceiver(childOf(left, key)));
}

/** What a rule compares, in a form in which two can be set against each other. */
export function conditionsOf(expressions: readonly Json[]): MatchCondition[] {
  return expressions.flatMap((expression) => {
    const match = childOf(expression, 'match');
    const left = childOf(match, 'left');
    const versions = [...familiesIn(left)].map(familyCondition);
    const field = fieldOf(left);
    if (field === undefined) return versions;
    const protocol = implied(left);
    const [operator, right] = [String(childOf(match, 'op')), childOf(match, 'right')];
    return [
      ...versions,
      ...(protocol === undefined ? [] : [{ field: 'l4proto', ranges: [[protocol, protocol] as const] }]),
      ...comparison(field, operator, right),
    ];
  });
}

/** True when no packet can satisfy both: some field would need two values at once. */
export function areDisjoint(one: readonly MatchCondition[], other: readonly MatchCondition[]): boolean {
  return one.some(({ field, ranges }) =>
    other.some((each) => each.field === field && ranges !== undefined && each.ranges !== undefined && !meet(ranges, each.ranges)),
  );
}

/** The conditions of a subnet on an address, such as `ip saddr` or `ip6 daddr`. */
export function subnetConditions(field: string, subnet: string): MatchCondition[] {
  return comparison(field, '==', subnet);
}

/** Versions of IP that the fields of an expression are in. */
function familiesIn(left: Json): ReadonlySet<Family> {
  if (Array.isArray(left)) return new Set(left.flatMap((each) => [...familiesIn(each as Json)]));
  const family = familyOfProtocol[String(childOf(childOf(left, 'payload'), 'protocol'))];
  return family === undefined ? familiesIn(keysOf(left).map((key) => childOf(left, key))) : new Set([family]);
}

/** IPv6 addresses exceed exact numbers: they are compared by their words of 32 bits, as `ip6 saddr 0` to `ip6 saddr 3`. */
function comparison(field: string, operator: string, right: Json): MatchCondition[] {
  if (field === 'protocol') return [{ field: familyField, ranges: rangesOf(operator, right, versionRange) }];
  if (!/^ip6 [sd]addr$/.test(field)) return [{ field, ranges: rangesOf(operator, right) }];
  if (operator !== '==' && operator !== 'in') return [];
  return [0, 1, 2, 3].map((word) => ({ field: `${field} ${word}`, ranges: rangesOf(operator, right, (value) => wordRange(value, word)) }));
}

function meet(one: readonly (readonly [number, number])[], other: readonly (readonly [number, number])[]): boolean {
  return one.some(([least, most]) => other.some(([from, to]) => least <= to && from <= most));
}

function exchangeWords(value: Json): Json {
  if (typeof value === 'string') return exchanged[value] ?? value;
  if (Array.isArray(value)) return value.map(exchangeWords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, exchangeWords(each as Json)]));
}

function checkLeft(left: Json): void {
  const [kind = ''] = keysOf(left);
  const child = childOf(left, kind);
  switch (kind) {
    case 'payload': {
      const protocol = childOf(child, 'protocol');
      if (typeof protocol === 'string' && protocols.has(protocol)) return;
      throw refuse(`${typeof protocol === 'string' ? `"${protocol}"` : 'raw payload'} is not the same on the whole way and back`);
    }
    case 'meta':
      if (metaKeys.has(String(childOf(child, 'key')))) return;
      throw refuse(`"meta ${String(childOf(child, 'key'))}" is not the same on the whole way and back`);
    case 'concat':
      for (const part of child as readonly Json[]) checkLeft(part);
      return;
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      checkLeft((child as readonly Json[])[0] ?? null);
      return;
    default:
      throw refuse(`"${kind}" cannot be part of a match: only addresses, protocols, ports and other fields of the packet can`);
  }
}

function fieldOf(left: Json): string | undefined {
  const [kind = ''] = keysOf(left);
  const child = childOf(left, kind);
  if (kind === 'meta') return String(childOf(child, 'key'));
  if (kind !== 'payload') return undefined;
  const [protocol, field] = [String(childOf(child, 'protocol')), String(childOf(child, 'field'))];
  if (protocol === 'ip' && field === 'protocol') return 'l4proto';
  // Ports are at one place in every protocol that has them.
  return field === 'sport' || field === 'dport' ? field : `${protocol} ${field}`;
}

function implied(left: Json): number | undefined {
  const protocol = keysOf(left)[0] === 'payload' ? String(childOf(childOf(left, 'payload'), 'protocol')) : '';
  return protocolNumbers[protocol];
}

type Range = readonly [number, number];

function rangesOf(operator: string, right: Json, read: (value: Json) => Range | undefined = rangeOf): MatchCondition['ranges'] {
  const set = childOf(right, 'set');
  const ranges = (Array.isArray(set) ? set : [right]).map(read);
  if (ranges.some((range) => range === undefined)) return undefined;
  const known = ranges as Range[];
  const [[least, most] = [0, 0]] = known;
  switch (operator) {
    case '==':
    case 'in':
      return known;
    case '!=':
      return known.length === 1 ? [[-1, least - 1] as const, [most + 1, Number.MAX_SAFE_INTEGER] as const] : undefined;
    case '<':
      return [[-1, least - 1]];
    case '<=':
      return [[-1, least]];
    case '>':
      return [[most + 1, Number.MAX_SAFE_INTEGER]];
    case '>=':
      return [[most, Number.MAX_SAFE_INTEGER]];
    default:
      return undefined;
  }
}

function rangeOf(value: Json): Range | undefined {
  const range = childOf(value, 'range');
  if (Array.isArray(range)) {
    const [least, most] = [rangeOf(range[0] ?? null), rangeOf(range[1] ?? null)];
    return least === undefined || most === undefined ? undefined : [least[0], most[1]];
  }
  if (typeof value === 'number') return [value, value];
  const known = typeof value === 'string' ? protocolNumbers[value] : undefined;
  return known === undefined ? wordRange(value, 0, 4) : [known, known];
}

/** Values of `meta protocol`, as the version of IP. */
function versionRange(value: Json): Range | undefined {
  const family = familyOfProtocol[String(value)];
  return family === undefined ? undefined : [family, family];
}

/** What a word of 32 bits of an address in a subnet can be; undefined for what is no subnet, or not of that version of IP. */
function wordRange(value: Json, word: number, family: Family = 6): Range | undefined {
  const subnet = subnetIn(value);
  if (subnet?.family !== family) return undefined;
  const all = addressBits(family);
  const size = 1n << BigInt(all - subnet.prefixLength);
  const first = subnet.address - (subnet.address % size);
  const part = (address: bigint): number => Number((address >> BigInt(all - 32 * (word + 1))) & 0xffffffffn);
  return [part(first), part(first + size - 1n)];
}

function subnetIn(value: Json): Cidr | undefined {
  const prefix = childOf(value, 'prefix');
  const text = prefix === null ? value : `${String(childOf(prefix, 'addr'))}/${String(childOf(prefix, 'len'))}`;
  if (typeof text !== 'string') return undefined;
  try {
    return text.includes('/') ? parseCidr(text) : parseAddress(text);
  } catch {
    return undefined;
  }
}

function keysOf(value: Json): string[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

function childOf(value: Json, key: string): Json {
  return keysOf(value).includes(key) ? ((value as { readonly [key: string]: Json })[key] ?? null) : null;
}

function refuse(why: string): NfioError {
  return new NfioError('InvalidValueError', { message: `match: ${why}` });
}
