import { hash } from 'node:crypto';
import { addressesOf, type PlacedPort } from './addressing.ts';
import { defaultGateway, type RouteSurroundings } from './default-routes.ts';
import { defaultForward, groupMask } from './group-forwarding.ts';
import { addressBits, type Cidr, contains, type Family, parseAddress, parseCidr } from './ip.ts';
import { linkLocalIpv4, linkLocalIpv6 } from './link-local.ts';
import { guardOf } from './port-guard.ts';
import type { PortSpec, PortState, PortWay, SegmentSpec } from './ports/network.ts';
import { idOf, type NetworkRecord, type PortRecord, type VnfRecord } from './records.ts';

/** What the specification of a port depends on beyond its own record. */
export interface PortSurroundings extends RouteSurroundings {
  readonly mountId: string;
  /** Where active service chains lead to from a network, see `waysFrom`. */
  chainWays(network: NetworkRecord, family: Family): readonly string[];
}

/** What a driver is asked to make of the ports of one VNF. Pure: the same records give the same specifications. */
export function planPorts(ports: readonly PlacedPort[], surroundings: PortSurroundings): PortSpec[] {
  const routed = new Set<Family>();
  const planned = ports.map((placed) => {
    // One default route a family: the first port that has a way out gives it.
    const gateways = ([4, 6] as const)
      .filter((family) => !routed.has(family))
      .flatMap((family) => defaultGateway(placed, family, surroundings) ?? []);
    for (const gateway of gateways) routed.add(parseAddress(gateway).family);
    return planPort(placed, { surroundings, gateways });
  });
  const connected = ports.flatMap(({ port }) => addressesOf(port)).map(parseCidr);
  return planned.map((spec, index) => {
    const ways = waysOf(ports[index] as PlacedPort, { routed, connected, surroundings });
    return ways.length === 0 ? spec : { ...spec, ways };
  });
}

/** Service chains are the way for hosts that have no default route, to where they have no port themselves. */
function waysOf(
  { vnf, port }: PlacedPort,
  how: { readonly routed: ReadonlySet<Family>; readonly connected: readonly Cidr[]; readonly surroundings: PortSurroundings },
): PortWay[] {
  const { surroundings, connected } = how;
  const network = surroundings.network(port.settings['network'] ?? '');
  if (network === undefined || surroundings.forwards(vnf.type)) return [];
  const own = new Set(addressesOf(port).map((address) => parseCidr(address).family));
  const families = ([4, 6] as const).filter((family) => own.has(family) && !how.routed.has(family));
  const mac = derivedMac(surroundings.mountId, network.serial);
  return families.flatMap((family) => {
    const via = family === 4 ? linkLocalIpv4(network.serial) : linkLocalIpv6(mac);
    const to = surroundings.chainWays(network, family).map((each) => each || everywhere[family]);
    const beyond = to.filter(
      (each) => !connected.some((address) => address.family === family && contains(parseCidr(each), asHost(address))),
    );
    return to.length === 0 ? [] : (to.includes(everywhere[family]) ? [everywhere[family]] : beyond).map((each) => ({ to: each, via, mac }));
  });
}

const everywhere: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

function asHost(address: Cidr): Cidr {
  return { ...address, prefixLength: addressBits(address.family) };
}

/** The next hops of a port's default routes: at most one of each version of IP. */
export function nextHops({ gateway, secondGateway }: Pick<PortSpec, 'gateway' | 'secondGateway'>): string[] {
  return [gateway, secondGateway].filter((each) => each !== undefined);
}

/** The ports in `wanted` that differ from `applied`, as what drivers are told, in an order in which each step can succeed: removals first. */
export function portChanges(
  applied: readonly PortSpec[],
  wanted: readonly PortSpec[],
): { readonly before: PortSpec | undefined; readonly after: PortSpec | undefined }[] {
  const old = new Map(applied.map((port) => [port.id, port]));
  const kept = new Set(wanted.map((port) => port.id));
  const removed = applied.filter((port) => !kept.has(port.id)).map((before) => ({ before, after: undefined }));
  const changed = wanted
    .filter((after) => JSON.stringify(old.get(after.id)) !== JSON.stringify(after))
    .map((after) => ({ before: old.get(after.id), after }));
  return [...removed, ...changed];
}

/** What a driver is asked to make of a network. */
export function planSegment(network: NetworkRecord): SegmentSpec {
  const { uplink = '', forward = defaultForward } = network.settings;
  return { id: idOf(network.serial), name: network.name, uplink, groupMask: groupMask(forward) };
}

/** The size of packets on a port whose user set none, bytes. */
export const defaultMtu = 1500;

/** True for a port that is in its guest as its owner wants it. */
export function isAsWanted(port: PortRecord, { up, mtu }: PortState): boolean {
  const wanted = wantedState(port);
  return up === wanted.up && mtu === wanted.mtu;
}

/** How its owner wants a port to be in its guest. */
export function wantedState({ settings }: PortRecord): PortState {
  return { up: settings['state'] !== 'down', mtu: numberOf(settings['mtu']) ?? defaultMtu };
}

/** True when the port has a rate, a delay or losses of its own: queues at its ends. */
export function isShaped({ rateBps, delayUsec, lossPercent }: PortSpec): boolean {
  return rateBps !== undefined || delayUsec !== undefined || lossPercent !== undefined;
}

/** The hardware address of a port: the one that its owner chose, or the one that derives from its names. */
export function macOf(placed: PlacedPort, mountId: string): string {
  return placed.port.settings['mac'] || namedMac(mountId, placed);
}

/**
 * The MAC address of a port whose user set none: that of no other names of any mount, and the same again for a VNF that is removed and made anew, so
 * that its neighbours need not learn another.
 */
export function namedMac(
  mountId: string,
  { vnf, port }: { readonly vnf: Pick<VnfRecord, 'type' | 'name'>; readonly port: Pick<PortRecord, 'name'> },
): string {
  return macFrom(`${mountId}/${vnf.type}/${vnf.name}/${port.name}`);
}

/** That of a port of a service chain, which users do not name. */
export function derivedMac(mountId: string, serial: number): string {
  return macFrom(`${mountId}/${serial}`);
}

/** Addresses are asked for with each change that is shown. So many are kept, then all are forgotten. */
const mostKept = 10_000;
const kept = new Map<string, string>();

/** A locally administered unicast address. */
function macFrom(text: string): string {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const digest = hash('sha256', text);
  const mac = `02:${(digest.slice(0, 10).match(/../g) ?? []).join(':')}`;
  if (kept.size >= mostKept) kept.clear();
  kept.set(text, mac);
  return mac;
}

function planPort(placed: PlacedPort, options: { surroundings: PortSurroundings; gateways: readonly string[] }): PortSpec {
  const { port } = placed;
  const { settings } = port;
  const network = options.surroundings.network(settings['network'] ?? '');
  const [gateway, secondGateway] = options.gateways;
  const guard = network === undefined ? undefined : guardOf(placed, network, options.surroundings);
  return {
    id: idOf(port.serial),
    name: port.name,
    segment: network === undefined ? undefined : planSegment(network),
    addresses: addressesOf(port),
    gateway,
    ...(secondGateway === undefined ? {} : { secondGateway }),
    mac: macOf(placed, options.surroundings.mountId),
    mtu: numberOf(settings['mtu']),
    up: settings['state'] !== 'down',
    rateBps: numberOf(settings['rate']),
    delayUsec: numberOf(settings['delay']),
    lossPercent: numberOf(settings['loss']),
    ...(guard === undefined ? {} : { guard }),
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}
