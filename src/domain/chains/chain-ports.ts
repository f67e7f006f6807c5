import { hash } from 'node:crypto';
import { formatAddress } from '../ip.ts';
import { linkLocalIpv4, linkLocalIpv6 } from '../link-local.ts';
import { derivedMac } from '../port-plan.ts';
import type { PortSpec } from '../ports/network.ts';
import { type AppliedChain, type AppliedHop, type AppliedInstance, type ChainRecord, idOf } from '../records.ts';

/** The names of a VNF's ports in a service chain: `web.in` is where packets from the ingress come in. */
export function chainPortName(chain: string, side: 'in' | 'out'): string {
  return `${chain}.${side}`;
}

/**
 * The address of a port of a service chain: link-local (RFC 3927), for it only asks for hardware addresses and signs errors with it. Two
 * ports may share one: nobody sends anything to it.
 */
export function chainPortAddress(serial: number): string {
  return linkLocalIpv4(serial);
}

/** The link-local address that a port of an IPv6 service chain asks for hardware addresses under: the one that belongs to its own. */
export function linkLocalAddress(mac: string): string {
  return linkLocalIpv6(mac);
}

/**
 * The address that a port of an IPv6 service chain signs errors with: routers pass on no packets from link-local ones. It is unique and local
 * (RFC 4193), with a global identifier that derives from the mount's.
 */
export function signingAddress(mountId: string, serial: number): string {
  const identifier = BigInt(`0xfd${hash('sha256', mountId).slice(0, 10)}`);
  return formatAddress({ family: 6, prefixLength: 128, address: (identifier << 80n) | BigInt(serial) });
}

/**
 * The ports that a VNF has in a service chain. A hop that only looks has one.
 *
 * @param around.translated IPv4 addresses that it translates to.
 */
export function chainPorts(
  chain: ChainRecord,
  vnf: number,
  { mountId, translated = [] }: { readonly mountId: string; readonly translated?: readonly string[] },
): PortSpec[] {
  const found = instanceIn(chain.applied, vnf);
  if (found === undefined) return [];
  const { hop, instance } = found;
  const ports = [portSpec(chain.name, 'in', { serial: instance.ingressPort, hop, mountId, translated: [] })];
  if (hop.mode !== 'mirror') ports.push(portSpec(chain.name, 'out', { serial: instance.egressPort, hop, mountId, translated }));
  return ports;
}

/** A VNF's place in a service chain, undefined when it has none. */
export function instanceIn(
  applied: AppliedChain | undefined,
  vnf: number,
): { readonly hop: AppliedHop; readonly instance: AppliedInstance } | undefined {
  for (const hop of applied?.hops ?? []) {
    const instance = hop.instances.find((each) => each.vnf === vnf);
    if (instance !== undefined) return { hop, instance };
  }
  return undefined;
}

function portSpec(
  chain: string,
  side: 'in' | 'out',
  at: { readonly serial: number; readonly hop: AppliedHop; readonly mountId: string; readonly translated: readonly string[] },
): PortSpec {
  const { serial, hop, mountId } = at;
  // The first one is what masquerade of nft takes.
  const addresses = [...at.translated, chainPortAddress(serial)].map((address) => `${address}/32`);
  return {
    id: idOf(serial),
    name: chainPortName(chain, side),
    segment: undefined,
    steered: true,
    addresses: hop.mode === 'routed' ? addresses : [],
    gateway: undefined,
    mac: derivedMac(mountId, serial),
    mtu: undefined,
    up: true,
    rateBps: undefined,
    delayUsec: undefined,
    lossPercent: undefined,
  };
}
