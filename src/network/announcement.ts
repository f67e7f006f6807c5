import { addressBytes, type Cidr, parseCidr } from '../domain/ip.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import type { FrameRequest, LinkRequest } from './link-request.ts';
import { fabricPortName } from './names.ts';
import { type Attribute, changeLinkMessage, Link, LinkInfo } from './rtnetlink.ts';

// linux/if_link.h: IFLA_BRPORT_STATE, IFLA_BRPORT_FLUSH; linux/if_bridge.h: BR_STATE_FORWARDING, BR_STATE_BLOCKING
const BridgePortData = { state: 1, flush: 24 } as const;
const PortState = { forwarding: 3, blocking: 4 } as const;
// linux/if_ether.h, linux/if_arp.h
const EtherType = { arp: 0x0806, ipv6: 0x86dd } as const;
const etherHeaderBytes = 14;
const icmpv6 = 58;
/** Type of a neighbour advertisement, and its flag "override" (RFC 4861, section 4.4). */
const neighbourAdvertisement = 136;
const override = 0x20000000;
const targetLinkLayerAddress = 2;
/** ff02::1, all nodes of a link, and its Ethernet address. */
const allNodes = Buffer.from('ff020000000000000000000000000001', 'hex');
const allNodesMac = Buffer.from('333300000001', 'hex');
const broadcast = Buffer.from('ffffffffffff', 'hex');

/**
 * What tells everyone on a segment whose a port's addresses are from now on: for each an announcement of ARP (RFC 5227, section 3), or an unsolicited
 * neighbour advertisement. It is sent by the segment's bridge to all ports that are open.
 *
 * @param bridge Interface index of the bridge.
 */
export function announcements(port: PortSpec, bridge: number): FrameRequest[] {
  const mac = Buffer.from(port.mac.replaceAll(':', ''), 'hex');
  return port.addresses.map(parseCidr).map((address) => ({
    namespace: 'frame',
    index: bridge,
    frame: address.family === 4 ? arp(mac, address) : advertisement(mac, address),
  }));
}

/**
 * The same for a port that is open: the bridge passes it by meanwhile, for a guest would take its own advertisement for someone else's. What the bridge
 * knew to be behind the port is forgotten, for the port may have another hardware address now. (Switching floods off is not enough: what a bridge
 * sends itself is exempt, see br_flood.)
 */
export function announcementsOfOpen(port: PortSpec, bridge: number): (LinkRequest | FrameRequest)[] {
  const frames = announcements(port, bridge);
  if (frames.length === 0) return [];
  const state = (value: number): Attribute => [BridgePortData.state, Buffer.from([value])];
  const passedBy = onBridge(port, [state(PortState.blocking), [BridgePortData.flush, Buffer.alloc(0)]]);
  return [passedBy, ...frames, onBridge(port, [state(PortState.forwarding)])];
}

function onBridge(port: PortSpec, data: readonly Attribute[]): LinkRequest {
  const info: Attribute[] = [
    [LinkInfo.slaveKind, 'bridge'],
    [LinkInfo.slaveData, data],
  ];
  const message = changeLinkMessage({ index: 0, up: undefined }, [
    [Link.name, fabricPortName(port.id)],
    [Link.info, info],
  ]);
  return { namespace: 'fabric', what: `port ${port.name}, announcement`, message };
}

/** A request for the sender's own address, as arp_announce of arping(8) and the kernel make it. */
function arp(mac: Buffer, address: Cidr): Buffer {
  const own = addressBytes(address);
  const head = Buffer.from('0001080006040001', 'hex'); // Ethernet, IPv4, lengths 6 and 4, request
  return ethernet(broadcast, mac, { type: EtherType.arp, payload: Buffer.concat([head, mac, own, Buffer.alloc(6), own]) });
}

function advertisement(mac: Buffer, address: Cidr): Buffer {
  const own = addressBytes(address);
  const message = Buffer.alloc(32);
  message[0] = neighbourAdvertisement;
  message.writeUInt32BE(override, 4);
  message.set(own, 8);
  message.set([targetLinkLayerAddress, 1, ...mac], 24);
  message.writeUInt16BE(checksum(own, message), 2);
  const header = Buffer.alloc(8);
  header[0] = 0x60;
  header.writeUInt16BE(message.length, 4);
  header.set([icmpv6, 255], 6);
  return ethernet(allNodesMac, mac, { type: EtherType.ipv6, payload: Buffer.concat([header, own, allNodes, message]) });
}

/** That of ICMPv6, over the pseudo-header too (RFC 8200, section 8.1). */
function checksum(source: Buffer, message: Buffer): number {
  const tail = Buffer.from([0, 0, 0, message.length, 0, 0, 0, icmpv6]);
  const bytes = Buffer.concat([source, allNodes, tail, message]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function ethernet(destination: Buffer, source: Buffer, { type, payload }: { readonly type: number; readonly payload: Buffer }): Buffer {
  const header = Buffer.alloc(etherHeaderBytes);
  header.set(destination, 0);
  header.set(source, 6);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}
