import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import { announcements, announcementsOfOpen } from '../../src/network/announcement.ts';
import { plainPort } from '../support/records.ts';

const port: PortSpec = {
  ...plainPort,
  id: '00000a',
  name: 'eth0',
  segment: { id: 'lan000', name: 'lan', uplink: '' },
  addresses: ['10.1.0.10/24', 'fd00::1/64'],
  mac: '02:00:00:00:00:01',
};

function bytes(text: string): string {
  return text.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
}

describe('announcements', () => {
  const [arp, advertisement] = announcements(port, 7);

  it('of IPv4 are requests of ARP for the sender itself', () => {
    const expected = `
      ffffffffffff 020000000001 0806    # to everyone
      0001 0800 06 04 0001              # Ethernet, IPv4, request
      020000000001 0a01000a             # sender
      000000000000 0a01000a             # target: the same address`;
    equal(arp?.frame.toString('hex'), bytes(expected));
    equal(arp?.index, 7);
  });

  it('of IPv6 are unsolicited neighbour advertisements that override', () => {
    const expected = `
      333300000001 020000000001 86dd
      60000000 0020 3a ff               # 32 bytes of ICMPv6, hop limit 255
      fd000000000000000000000000000001 ff020000000000000000000000000001
      88 00 18be 20000000               # advertisement, checksum, O
      fd000000000000000000000000000001
      02 01 020000000001                # target link-layer address`;
    const hex = advertisement?.frame.toString('hex') ?? '';
    equal(hex.replace(hex.slice(112, 116), '18be'), bytes(expected));
    equal(sumOf(advertisement?.frame ?? Buffer.alloc(0)), 0xffff, 'what is summed over with its checksum is all ones');
  });

  it('of an open port pass the port itself by', () => {
    const requests = announcementsOfOpen(port, 7);
    deepEqual(
      requests.map(({ namespace }) => namespace),
      ['fabric', 'frame', 'frame', 'fabric'],
    );
    const [off, , , on] = requests.map((request) => ('message' in request ? request.message.toString('hex') : ''));
    equal(off?.includes(bytes('0500 0100 04000000 0400 1800')), true, 'it is blocked, and what is known behind it forgotten');
    equal(on?.includes(bytes('0500 0100 03000000')), true, 'it forwards again');
    deepEqual(announcementsOfOpen({ ...port, addresses: [] }, 7), []);
  });
});

/** The sum of RFC 1071 over the pseudo-header of IPv6 and the message. */
function sumOf(frame: Buffer): number {
  const message = frame.subarray(54);
  const summed = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58]), message]);
  let sum = 0;
  for (let at = 0; at < summed.length; at += 2) sum += summed.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}
