import { createHash } from 'node:crypto';

/** What names the guests of a mount. */
export function domainPrefix(mountId: string): string {
  return `nfio-${mountId}-`;
}

/** The domain of a guest as `virsh list` shows it. */
export function domainName(mountId: string, id: string): string {
  return `${domainPrefix(mountId)}${id}`;
}

/** The id of the guest that a domain's name names; undefined when it is none of the mount's. */
export function guestIdOf(name: string, mountId: string): string | undefined {
  const prefix = domainPrefix(mountId);
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

/**
 * The UUID of a guest's domain (RFC 9562, version 8), 32 hexadecimal digits. It follows from the mount and the guest: a domain of that
 * name with another UUID is somebody else's.
 */
export function domainUuid(mountId: string, id: string): string {
  const digits = createHash('sha256').update(`nfio/${mountId}/${id}`).digest('hex');
  return `${digits.slice(0, 12)}8${digits.slice(13, 16)}${((Number.parseInt(digits.slice(16, 17), 16) & 3) | 8).toString(16)}${digits.slice(17, 32)}`;
}

/** A UUID as people read it. */
export function formatUuid(digits: string): string {
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
}
