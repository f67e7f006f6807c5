import { addressesOf, gatewayOf, type PlacedPort } from './addressing.ts';
import { type Cidr, contains, type Family, formatAddress, parseAddress, parseCidr } from './ip.ts';
import { type NetworkRecord, recordKey, type VnfRecord } from './records.ts';

/** What the default route of a host depends on beyond its own record. */
export interface RouteSurroundings {
  /** True for a type that forwards packets between its ports. */
  forwards(type: string): boolean;
  /** True for a VNF whose guest runs: what is described only forwards nothing. */
  runs(vnf: VnfRecord): boolean;
  network(name: string): NetworkRecord | undefined;
  /** All ports on a network, of all VNFs. */
  portsOn(network: string): Iterable<PlacedPort>;
}

/** A VNF that forwards for a network, and the addresses it has there in one version of IP. */
interface Forwarder {
  readonly vnf: VnfRecord;
  readonly addresses: readonly Cidr[];
}

/**
 * The next hop of a port's default route in a version of IP: the gateway of its network if the user named one, else, for a VNF that does not
 * forward itself, the only forwarding VNF that runs on that network.
 */
export function defaultGateway({ vnf, port }: PlacedPort, family: Family, around: RouteSurroundings): string | undefined {
  const network = around.network(port.settings['network'] ?? '');
  const own = addressesIn(port, family);
  if (network === undefined || own.length === 0) return undefined;
  const reachable = (address: Cidr): boolean =>
    own.some((each) => each.address !== address.address && contains(each, { ...address, prefixLength: hostBits(family) }));
  const named = gatewayOf(network, family);
  if (named !== undefined) return reachable(parseAddress(named)) ? named : undefined;
  if (around.forwards(vnf.type)) return undefined;
  const [only, ...more] = forwardersOn(network, family, around);
  const address = more.length === 0 ? only?.addresses.find(reachable) : undefined;
  return address && formatAddress(address);
}

/** Which VNFs hosts on a network would have their default routes by, where no gateway is named: a text that changes when the choice does. */
export function choiceOn(network: NetworkRecord, around: RouteSurroundings): string {
  const described = ({ vnf, addresses }: Forwarder): string => `${vnf.serial} ${addresses.map(formatAddress).join(' ')}`;
  return ([4, 6] as const).map((family) => forwardersOn(network, family, around).map(described).join(', ')).join('; ');
}

/** Why hosts on a network have no default route although something forwards there, in words with a remedy; empty when that is not so. */
export function unclearRoute(network: NetworkRecord, around: RouteSurroundings): string {
  for (const family of [4, 6] as const) {
    if (gatewayOf(network, family) !== undefined) continue;
    const forwarders = forwardersOn(network, family, around);
    const [first] = forwarders;
    if (first === undefined || forwarders.length === 1 || !hasHosts(network, family, around)) continue;
    const named = forwarders.map(({ vnf, addresses }) => `${recordKey(vnf)} (${addresses.map(formatAddress).join(' ')})`);
    const remedy = `echo ${formatAddress(first.addresses[0] as Cidr)} > networks/${network.name}/gateway`;
    return `hosts on ${network.name} have no IPv${family} default route, because more than one VNF forwards there: ${named.join(' and ')}. Choose one, for example: ${remedy}`;
  }
  return '';
}

function forwardersOn(network: NetworkRecord, family: Family, around: RouteSurroundings): Forwarder[] {
  const found = new Map<VnfRecord, readonly Cidr[]>();
  for (const { vnf, port } of around.portsOn(network.name)) {
    if (!around.forwards(vnf.type) || port.settings['state'] === 'down') continue;
    const addresses = addressesIn(port, family);
    if (addresses.length > 0 && around.runs(vnf)) found.set(vnf, [...(found.get(vnf) ?? []), ...addresses]);
  }
  return [...found].map(([vnf, addresses]) => ({ vnf, addresses }));
}

function hasHosts({ name }: NetworkRecord, family: Family, around: RouteSurroundings): boolean {
  for (const { vnf, port } of around.portsOn(name)) if (!around.forwards(vnf.type) && addressesIn(port, family).length > 0) return true;
  return false;
}

function addressesIn(port: PlacedPort['port'], family: Family): Cidr[] {
  return addressesOf(port)
    .map(parseCidr)
    .filter((each) => each.family === family);
}

function hostBits(family: Family): number {
  return family === 4 ? 32 : 128;
}
