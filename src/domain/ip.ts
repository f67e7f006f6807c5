import { isIPv4, isIPv6 } from 'node:net';
import { NfioError } from '../errors/index.ts';

/** A version of IP. */
export type Family = 4 | 6;

/** An address, or a network, with a prefix length. */
export interface Cidr {
  readonly family: Family;
  readonly address: bigint;
  readonly prefixLength: number;
}

/**
 * Parses `10.1.0.10/24` or `fd00::1/64`.
 *
 * @throws InvalidValueError (EINVAL) when it is neither.
 */
export function parseCidr(text: string): Cidr {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = familyOf(address);
  if (family === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > addressBits(family)) {
    throw new NfioError('InvalidValueError', {
      message: `"${text.slice(0, 80)}" is not an address with a prefix length such as 10.1.0.10/24`,
    });
  }
  return { family, address: toBigInt(address, family), prefixLength: Number(prefix) };
}

/**
 * Parses an address without prefix length.
 *
 * @throws InvalidValueError (EINVAL) when it is none.
 */
export function parseAddress(text: string): Cidr {
  const family = familyOf(text);
  if (family === undefined) {
    throw new NfioError('InvalidValueError', { message: `"${text.slice(0, 80)}" is not an IP address such as 10.1.0.1` });
  }
  return { family, address: toBigInt(text, family), prefixLength: addressBits(family) };
}

/** The network a CIDR lies in: its host bits cleared. */
export function networkOf(cidr: Cidr): Cidr {
  const hostBits = BigInt(addressBits(cidr.family) - cidr.prefixLength);
  return { ...cidr, address: (cidr.address >> hostBits) << hostBits };
}

/** True when every address of `inner` is in `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefixLength > inner.prefixLength) return false;
  return networkOf({ ...inner, prefixLength: outer.prefixLength }).address === networkOf(outer).address;
}

/** True when two networks have an address in common. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return contains(a, b) || contains(b, a);
}

/** The text of a CIDR, in its canonical form (RFC 5952 for IPv6). */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr)}/${cidr.prefixLength}`;
}

/** The text of its address alone. */
export function formatAddress({ family, address }: Cidr): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((address >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return compressZeros(groups);
}

/** Its bytes, as packets have them. */
export function addressBytes({ family, address }: Cidr): Buffer {
  return Buffer.from(address.toString(16).padStart(addressBits(family) / 4, '0'), 'hex');
}

function compressZeros(groups: readonly string[]): string {
  const runs = [
    ...groups
      .map((group) => (group === '0' ? '0' : '-'))
      .join('')
      .matchAll(/0{2,}/g),
  ];
  const longest = runs.sort((a, b) => b[0].length - a[0].length || a.index - b.index)[0];
  if (longest === undefined) return groups.join(':');
  const before = groups.slice(0, longest.index).join(':');
  return `${before}::${groups.slice(longest.index + longest[0].length).join(':')}`;
}

/** How many bits an address has. */
export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

function familyOf(text: string): Family | undefined {
  if (isIPv4(text)) return 4;
  return isIPv6(text) && !text.includes('%') ? 6 : undefined;
}

function toBigInt(text: string, family: Family): bigint {
  if (family === 4) return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = '', tail] = withoutDottedTail(text).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** `::ffff:10.0.0.1` with its last 32 bits as two groups. */
function withoutDottedTail(text: string): string {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted === null) return text;
  const value = toBigInt(dotted[2] ?? '', 4);
  return `${dotted[1]}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}
