import { formatAddress } from './ip.ts';

/** A link-local address (RFC 3927) by a number; two numbers may share one: nobody sends anything to it. */
export function linkLocalIpv4(serial: number): string {
  const number = serial % (253 * 254);
  return `169.254.${1 + Math.floor(number / 254)}.${1 + (number % 254)}`;
}

/** The link-local address that belongs to a hardware address (RFC 4291, appendix A). */
export function linkLocalIpv6(mac: string): string {
  const digits = mac.replaceAll(':', '');
  const identifier = BigInt(`0x${digits.slice(0, 6)}fffe${digits.slice(6)}`) ^ (2n << 56n);
  return formatAddress({ family: 6, prefixLength: 128, address: (0xfe80n << 112n) | identifier });
}
