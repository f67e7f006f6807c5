import { NfioError } from '../errors/index.ts';
import { addressBits, contains, overlaps, parseAddress, parseCidr } from './ip.ts';
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
  const subnet = network.settings['subnet'] ?? '';
  const addresses = addressesOf(subject.port);
  for (const address of addresses) {
    const cidr = parseCidr(address);
    if (
      subnet !== '' &&
      cidr.family === parseCidr(subnet).family &&
      !contains(parseCidr(subnet), { ...cidr, prefixLength: addressBits(cidr.family) })
    ) {
      throw new NfioError('InvalidValueError', { message: `${address} is outside ${subnet}, the subnet of network ${network.name}` });
    }
  }
  if (addresses.length === 0) return;
  const wanted = new Set(addresses.map(hostPart));
  for (const other of others) {
    if (other.port.serial === subject.port.serial) continue;
    const taken = addressesOf(other.port)
      .map(hostPart)
      .find((address) => wanted.has(address));
    if (taken !== undefined) {
      throw new NfioError('InvalidValueError', {
        message: `${taken} is the address of ${portPath(other)} on network ${network.name}: choose another`,
        errno: 'EADDRINUSE',
      });
    }
  }
}

/**
 * Refuses a network whose subnet overlaps another's, or whose gateway is outside its subnet.
 *
 * @throws InvalidValueError (EINVAL)
 */
export function checkNetwork(network: NetworkRecord, others: Iterable<NetworkRecord>): void {
  const { subnet = '', gateway = '' } = network.settings;
  if (subnet === '') return;
  if (gateway !== '' && !contains(parseCidr(subnet), parseAddress(gateway))) {
    throw new NfioError('InvalidValueError', { message: `the gateway ${gateway} is outside the subnet ${subnet}` });
  }
  for (const other of others) {
    const theirs = other.settings['subnet'] ?? '';
    if (theirs !== '' && overlaps(parseCidr(subnet), parseCidr(theirs))) {
      throw new NfioError('InvalidValueError', {
        message: `${subnet} overlaps ${theirs}, the subnet of network ${other.name}: choose another`,
      });
    }
  }
}

/** Records hold addresses in their canonical form: nothing has to be parsed to compare them. */
function hostPart(address: string): string {
  return address.slice(0, address.indexOf('/'));
}
