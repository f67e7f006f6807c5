import { fabricInterfaceIndex, guestInterfaceIndex, guestInterfaceName } from '../domain/guest-interface.ts';
import { parseAddress, parseCidr } from '../domain/ip.ts';
import { nextHops } from '../domain/port-plan.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import type { LinkRequest } from './link-request.ts';
import { fabricPortName } from './names.ts';
import { wayMetric } from './port-lines.ts';
import {
  type Attribute,
  addressMessage,
  changeLinkMessage,
  encodeAttributes,
  encodeMessage,
  Link,
  LinkInfo,
  linkBody,
  mainTable,
  neighbourMessage,
  RtnetlinkFlag,
  RtnetlinkType,
  routeMessage,
} from './rtnetlink.ts';

/** Where a new port is. */
export interface PortPlace {
  /** A process of the guest's network namespace, by its number for the one that sends the requests. */
  readonly guestPid: number;
  /** Interface index of the segment's bridge, undefined for a port that is on none yet. */
  readonly bridge: number | undefined;
  /** Frames pass it from the start. Default false: it is closed. */
  readonly open?: boolean;
}

const vethPeer = 1; // linux/veth.h

/** A veth uses one each in any case; left to itself, the kernel makes as many as there are processors first, with all that they show in sysfs. */
const oneQueue: readonly Attribute[] = [
  [Link.sendQueues, 1],
  [Link.receiveQueues, 1],
];

/** Brings the loopback interface of a new namespace up. */
export function loopbackRequest(): LinkRequest {
  return { namespace: 'guest', what: 'lo', message: changeLinkMessage({ index: 1, up: true }) };
}

/**
 * What makes a port, in order: both ends, with the fabric's on its bridge; then the guest's addresses, state and default route. Unless its
 * place says otherwise it is closed: what lets frames pass is `openingRequest`.
 */
export function newPortRequests(port: PortSpec, place: PortPlace): LinkRequest[] {
  const guest = (what: string, message: Buffer): LinkRequest => ({ namespace: 'guest', what: `port ${port.name}${what}`, message });
  const alias: Attribute[] = guestInterfaceName(port) === port.name ? [] : [[Link.alias, port.name]];
  const requests: LinkRequest[] = [
    { namespace: 'fabric', what: `port ${port.name}`, message: newLink(port, place) },
    ...port.addresses.map((address) => guest(`, address ${address}`, addressMessage('add', guestInterfaceIndex(port), parseCidr(address)))),
  ];
  if (port.up || alias.length > 0)
    requests.push(guest('', changeLinkMessage({ index: guestInterfaceIndex(port), up: port.up ? true : undefined }, alias)));
  return [...requests, ...routeRequests('add', port)];
}

/** What changes the routes of a port that is otherwise as it was, from those of one specification to those of another. */
export function reroutingRequests(before: PortSpec, after: PortSpec): LinkRequest[] {
  return [...routeRequests('remove', before), ...routeRequests('add', after)];
}

/** Adds the routes of a port, or removes them, whoever else may have done so before. What is known of the next hops of ways stays: it harms nobody. */
function routeRequests(verb: 'add' | 'remove', port: PortSpec): LinkRequest[] {
  if (!port.up) return [];
  const device = guestInterfaceIndex(port);
  const guest = (what: string, message: Buffer): LinkRequest => {
    return { namespace: 'guest', what: `port ${port.name}, ${what}`, message, ...(verb === 'remove' && { mayBeDone: true }) };
  };
  const defaults = nextHops(port).map((text) => {
    const gateway = parseAddress(text);
    return guest(`default route via ${text}`, routeMessage(verb, { family: gateway.family, table: mainTable, device, gateway }));
  });
  const ways = (port.ways ?? []).flatMap(({ to, via, mac }) => {
    const [address, destination] = [parseAddress(via), parseCidr(to)];
    const route = { family: address.family, table: mainTable, destination, device, gateway: address, onLink: true, metric: wayMetric };
    const neighbour = verb === 'add' ? [guest(`neighbour ${via}`, neighbourMessage('add', { device, address, mac }))] : [];
    return [...neighbour, guest(`route to ${to}`, routeMessage(verb, route))];
  });
  return [...defaults, ...ways];
}

/** Lets frames pass a port: its end in the fabric goes up. The guest's own end is as it is wanted from the start. */
export function openingRequest(port: PortSpec): LinkRequest {
  const message = changeLinkMessage({ index: 0, up: true }, [[Link.name, fabricPortName(port.id)]]);
  return { namespace: 'fabric', what: `port ${port.name}, opening`, message };
}

/** True for a port that frames pass once it is open. */
export function canOpen(port: PortSpec): boolean {
  return port.up && (port.segment !== undefined || port.steered === true);
}

/**
 * True for a port of a guest that is no guard which may be open from the start, and announced then. That saves a request; with IPv6 the guest would hear
 * itself.
 */
export function isOpenAtOnce(port: PortSpec): boolean {
  return port.addresses.every((address) => !address.includes(':'));
}

/** Made from the fabric's end, whose attributes alone may name a bridge. */
function newLink(port: PortSpec, { guestPid, bridge, open = false }: PortPlace): Buffer {
  const mtu: Attribute[] = port.mtu === undefined ? [] : [[Link.mtu, port.mtu]];
  const mac = Buffer.from(port.mac.replaceAll(':', ''), 'hex');
  const peer: Attribute[] = [
    [Link.name, guestInterfaceName(port)],
    [Link.address, mac],
    ...oneQueue,
    ...mtu,
    [Link.namespacePid, guestPid],
  ];
  const peerBytes = Buffer.concat([linkBody({ index: guestInterfaceIndex(port), up: undefined }), encodeAttributes(peer)]);
  const info: Attribute[] = [
    [LinkInfo.kind, 'veth'],
    [LinkInfo.data, [[vethPeer, peerBytes]]],
  ];
  const attributes: Attribute[] = [[Link.name, fabricPortName(port.id)], ...oneQueue, ...mtu, [Link.info, info]];
  if (bridge !== undefined) attributes.push([Link.master, bridge]);
  const body = linkBody({ index: fabricInterfaceIndex(port), up: open && canOpen(port) ? true : undefined });
  return encodeMessage(RtnetlinkType.newLink, RtnetlinkFlag.create | RtnetlinkFlag.exclusive, { body, attributes });
}
