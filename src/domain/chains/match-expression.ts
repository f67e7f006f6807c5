import { NfioError } from '../../errors/index.ts';
import { parseAddress, parseCidr } from '../ip.ts';
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

/** What a rule compares, in a form in which two can be set against each other. */
export function conditionsOf(expressions: readonly Json[]): MatchCondition[] {
  return expressions.flatMap((expression) => {
    const match = childOf(expression, 'match');
    const left = childOf(match, 'left');
    const field = fieldOf(left);
    if (field === undefined) return [];
    const protocol = implied(left);
    const ranges = rangesOf(String(childOf(match, 'op')), childOf(match, 'right'));
    return [...(protocol === undefined ? [] : [{ field: 'l4proto', ranges: [[protocol, protocol] as const] }]), { field, ranges }];
  });
}

/** True when no packet can satisfy both: some field would need two values at once. */
export function areDisjoint(one: readonly MatchCondition[], other: readonly MatchCondition[]): boolean {
  return one.some(({ field, ranges }) =>
    other.some((each) => each.field === field && ranges !== undefined && each.ranges !== undefined && !meet(ranges, each.ranges)),
  );
}

/** The conditions of a subnet on an address, `ip saddr` or `ip daddr`. */
export function subnetCondition(field: string, subnet: string): MatchCondition {
  return { field, ranges: rangesOf('==', subnet) };
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

function rangesOf(operator: string, right: Json): MatchCondition['ranges'] {
  const set = childOf(right, 'set');
  const ranges = (Array.isArray(set) ? set : [right]).map(rangeOf);
  if (ranges.some((range) => range === undefined)) return undefined;
  const known = ranges as (readonly [number, number])[];
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

function rangeOf(value: Json): readonly [number, number] | undefined {
  const range = childOf(value, 'range');
  if (Array.isArray(range)) {
    const [least, most] = [rangeOf(range[0] ?? null), rangeOf(range[1] ?? null)];
    return least === undefined || most === undefined ? undefined : [least[0], most[1]];
  }
  const prefix = childOf(value, 'prefix');
  if (prefix !== null) return subnetRange(`${String(childOf(prefix, 'addr'))}/${String(childOf(prefix, 'len'))}`);
  if (typeof value === 'number') return [value, value];
  if (typeof value !== 'string') return undefined;
  const known = protocolNumbers[value];
  if (known !== undefined) return [known, known];
  return value.includes('/') ? subnetRange(value) : addressRange(value);
}

function addressRange(text: string): readonly [number, number] | undefined {
  try {
    return subnetRange(`${text}/${parseAddress(text).prefixLength}`);
  } catch {
    return undefined;
  }
}

/** IPv6 addresses exceed exact numbers: they are not compared. */
function subnetRange(text: string): readonly [number, number] | undefined {
  const { family, address, prefixLength } = parseCidr(text);
  if (family === 6) return undefined;
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(Number(address) / size) * size;
  return [first, first + size - 1];
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
