import { guestInterfaceName } from '../domain/guest-interface.ts';
import { nextHops } from '../domain/port-plan.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { ipLine } from './names.ts';

/** Commands that give the guest's end of a new port what belongs to it. */
export function guestEndLines(port: PortSpec): string[] {
  const name = guestInterfaceName(port);
  const lines = name === port.name ? [] : [ipLine('link', 'set', 'dev', name, 'alias', port.name)];
  lines.push(...port.addresses.map((address) => addressLine('add', address, name)));
  if (port.up) lines.push(ipLine('link', 'set', 'dev', name, 'up'), ...gatewayLines('add', port), ...wayLines('add', port));
  return lines;
}

/** Adds or removes one address. IPv6 ones are usable at once: duplicate address detection is for links nobody planned. */
export function addressLine(verb: 'add' | 'del', address: string, name: string): string {
  const nodad = verb === 'add' && address.includes(':') ? ['nodad'] : [];
  return ipLine('addr', verb === 'add' ? 'replace' : 'del', address, 'dev', name, ...nodad);
}

/** The default routes by a port, if there are any. */
export function gatewayLines(verb: 'add' | 'del', port: PortSpec): string[] {
  if (!port.up) return [];
  const words = ['route', verb === 'add' ? 'replace' : 'del', 'default', 'via'];
  return nextHops(port).map((gateway) => ipLine(...words, gateway, 'dev', guestInterfaceName(port)));
}

/** Asked after any route of the guest's own. */
export const wayMetric = 4096;

/** The ways by a port that service chains are, if there are any. What is known of their next hops stays: it harms nobody. */
export function wayLines(verb: 'add' | 'del', port: PortSpec): string[] {
  if (!port.up) return [];
  const name = guestInterfaceName(port);
  return (port.ways ?? []).flatMap(({ to, via, mac }) => {
    const route = (word: string): string => ipLine('route', word, to, 'via', via, 'dev', name, 'metric', wayMetric);
    if (verb === 'del') return [route('del')];
    return [ipLine('neigh', 'replace', via, 'lladdr', mac, 'dev', name, 'nud', 'permanent'), `${route('replace')} onlink`];
  });
}
