import type { PortSpec } from '../domain/ports/network.ts';
import type { ProcessId } from './process-id.ts';
import { shownAddress } from './shown-address.ts';

/** First IPv4, else IPv6 address of a guest: of its ports as configured, else (it may configure them itself) as its kernel says. */
export function findAddress(guest: ProcessId, ports: readonly PortSpec[]): string {
  const configured = ports.flatMap(({ addresses }) => addresses.map((address) => address.split('/')[0] ?? ''));
  const known = configured.find((address) => !address.includes(':')) ?? configured[0];
  if (known !== undefined) return known;
  return ports.length === 0 ? '' : shownAddress(guest.pid);
}
