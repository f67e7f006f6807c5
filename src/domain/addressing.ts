import { NfioError } from '../errors/index.ts';
import {
  addressBits,
  type Cidr,
  contains,
  type Family,
  formatAddress,
  formatCidr,
  networkOf,
  overlaps,
  parseAddress,
  parseCidr,
} from './ip.ts';
import type { NetworkRecord, PortRecord, VnfRecord } from './records.ts';

/** A port and the VNF it belongs to. */
export interface PlacedPort {
  readonly vnf: VnfRecord;
  readonly port: PortRecord;
}

/** Addresses of a port, in CIDR form. */
export function addressesOf(port: PortRecord): readonly string[] {
  const text = port.settings['address'] ?? '';
  return text === '' ? [] : text.split('\n');
}

/** Subnets of a network, in CIDR form: at most one of each version of IP. */
export function subnetsOf({ settings }: NetworkRecord): readonly string[] {
  return (settings['subnet'] ?? '').split('\n').filter(Boolean);
}

/** Its subnet in a version of IP, undefined when it has none. */
export function subnetOf(network: NetworkRecord, family: Family): string | undefined {
  return subnetsOf(network).find((each) => parseCidr(each).family === family);
}

/** The gateways that its owner named: at most one of each version of IP. */
export function gatewaysOf({ settings }: NetworkRecord): readonly string[] {
  return (settings['gateway'] ?? '').split('\n').filter(Boolean);
}

/** The one in a version of IP, undefined when there is none. */
export function gatewayOf(network: NetworkRecord, family: Family): string | undefined {
  return gatewaysOf(network).find((each) => parseAddress(each).family === family);
}

/** Where a port is, for people: `fw-a/ports/lan`. */
export function portPath({ vnf, port }: PlacedPort): string {
  return `${vnf.name}/ports/${port.name}`;
}

/**
 * Refuses a port whose addresses do not fit its network, or are taken there.
 *
 * @param others ports of that network that must have other addresses; the port itself may be among them.
 * @throws InvalidValueError: EINVAL for an address outside the subnet, EADDRINUSE for one that another port has.
 */
export function checkPort(subject: PlacedPort, network: NetworkRecord, others: Iterable<PlacedPort>): void {
  const addresses = addressesOf(subject.port);
  for (const address of addresses) {
    const cidr = parseCidr(address);
    const subnet = subnetOf(network, cidr.family);
    checkHostAddress(cidr, subnet === undefined ? cidr.prefixLength : parseCidr(subnet).prefixLength);
    if (subnet !== undefined && !contains(parseCidr(subnet), { ...cidr, prefixLength: addressBits(cidr.family) })) {
      throw new NfioError('InvalidValueError', {
        message: `${address} is outside ${subnet}, the subnet of network ${network.name}: choose one in it`,
      });
    }
  }
  if (addresses.length === 0) return;
  const wanted = addresses.map(hostPart);
  for (const other of others) {
    const { address = '' } = other.port.settings;
    // Most often it is nowhere in the text, which is told at once.
    const taken = wanted.find((each) => address.includes(each) && addressesOf(other.port).map(hostPart).includes(each));
    if (taken === undefined || other.port.serial === subject.port.serial) continue;
    throw new NfioError('InvalidValueError', {
      message: `${taken} is the address of ${portPath(other)} on network ${network.name}: choose another`,
      errno: 'EADDRINUSE',
    });
  }
}

/** The ports that a VNF has on a network. */
export function portsOn(network: string, vnf: VnfRecord): PlacedPort[] {
  return vnf.ports.filter((port) => port.settings['network'] === network).map((port) => ({ vnf, port }));
}

/**
 * Refuses a network of which a subnet overlaps another's, or of which a gateway is outside its subnets.
 *
 * @throws InvalidValueError (EINVAL)
 */
export function checkNetwork(network: NetworkRecord, others: Iterable<NetworkRecord>): void {
  const subnets = subnetsOf(network);
  if (subnets.length === 0) return;
  const outside = gatewaysOf(network).find((gateway) => !subnets.some((subnet) => contains(parseCidr(subnet), parseAddress(gateway))));
  if (outside !== undefined)
    throw new NfioError('InvalidValueError', { message: `the gateway ${outside} is outside the subnet ${subnets.join(' and ')}` });
  for (const other of others) checkApart(subnets, other);
}

/**
 * Refuses the address of a network itself, and the one that all hosts of a network listen to. Links of two addresses have neither (RFC 3021, RFC 6164), and IPv6 has no
 * broadcast; its first address is that of any router (RFC 4291, 2.6.1).
 */
function checkHostAddress(cidr: Cidr, subnetPrefix: number): void {
  for (const prefixLength of [cidr.prefixLength, subnetPrefix]) {
    const hostBits = addressBits(cidr.family) - prefixLength;
    if (hostBits < 2) continue;
    const host = cidr.address & ((1n << BigInt(hostBits)) - 1n);
    const network = formatCidr(networkOf({ ...cidr, prefixLength }));
    if (host === 0n)
      throw new NfioError('InvalidValueError', {
        message: `${formatAddress(cidr)} is the address of the network ${network} itself: choose another`,
      });
    if (cidr.family === 4 && host === (1n << BigInt(hostBits)) - 1n)
      throw new NfioError('InvalidValueError', {
        message: `${formatAddress(cidr)} is the broadcast address of ${network}: choose another`,
      });
  }
}

function checkApart(subnets: readonly string[], other: NetworkRecord): void {
  for (const subnet of subnets) {
    const theirs = subnetsOf(other).find((each) => overlaps(parseCidr(subnet), parseCidr(each)));
    if (theirs === undefined) continue;
    throw new NfioError('InvalidValueError', {
      message: `${subnet} overlaps ${theirs}, the subnet of network ${other.name}: choose another`,
    });
  }
}

/** Records hold addresses in their canonical form: nothing has to be parsed to compare them. */
function hostPart(address: string): string {
  return address.slice(0, address.indexOf('/'));
}
