import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flowBack, flowText, parseFlow } from '../../src/domain/chains/flow.ts';
import { type ProbePair, type ProbeShape, probeMark, probePacket } from '../../src/domain/chains/probe-packet.ts';
import { addressBytes, parseAddress } from '../../src/domain/ip.ts';

const pairs: readonly ProbePair[] = [
  { family: 4, ingressAddress: '10.1.0.10', egressAddress: '10.2.0.10', number: 40_000, label: 0xbeef },
  { family: 6, ingressAddress: 'fd00:1::10', egressAddress: 'fd00:2::10', number: 40_000, label: 0xbeef },
];
const shapes: readonly ProbeShape[] = [
  { protocol: 'tcp', port: 80, underWay: false },
  { protocol: 'tcp', port: 80, underWay: true },
  { protocol: 'udp', port: 53, underWay: false },
  { protocol: 'icmp', port: 0, underWay: false },
];

/** The sum of words that is all ones over what has a right checksum in it (RFC 1071). */
function sum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let total = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) total += bytes.readUInt16BE(offset);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

/** The pseudo-header of IPv4 (RFC 9293) and of IPv6 (RFC 8200). */
function pseudoHeader({ family }: ProbePair, packet: Buffer, length: number): Buffer {
  if (family === 4) return Buffer.concat([packet.subarray(12, 20), Buffer.from([0, packet.readUInt8(9), 0, length])]);
  return Buffer.concat([packet.subarray(8, 40), Buffer.from([0, 0, 0, length, 0, 0, 0, packet.readUInt8(6)])]);
}

describe('a probe', () => {
  for (const pair of pairs) {
    for (const shape of shapes) {
      for (const direction of ['forward', 'backward'] as const) {
        test(`of IPv${pair.family} and ${shape.protocol}${shape.underWay ? ' under way' : ''} is a whole packet, ${direction}`, () => {
          const packet = Buffer.from(probePacket(shape, pair, { direction, number: 7 }));
          const header = pair.family === 4 ? 20 : 40;
          assert.equal(packet.length, probeMark(pair).length);
          assert.equal(packet.readUInt32BE(packet.length - 4), 7);
          const [length, label] =
            pair.family === 4 ? [packet.readUInt16BE(2), packet.readUInt16BE(4)] : [40 + packet.readUInt16BE(4), packet.readUInt16BE(2)];
          assert.deepEqual([length, label], [packet.length, pair.label]);
          if (pair.family === 4) assert.equal(sum(packet.subarray(0, header)), 0xffff);
          const body = packet.subarray(header);
          const isAlone = pair.family === 4 && shape.protocol === 'icmp';
          assert.equal(isAlone ? sum(body) : sum(pseudoHeader(pair, packet, body.length), body), 0xffff);
          const from = direction === 'forward' ? pair.ingressAddress : pair.egressAddress;
          const bytes = addressBytes(parseAddress(from));
          assert.deepEqual(packet.subarray(header - 2 * bytes.length, header - bytes.length), bytes);
        });
      }
    }
  }
});

describe('a flow', () => {
  for (const [text, canonical, back] of [
    ['tcp 10.1.0.10:1234 10.2.0.10:80', undefined, 'tcp 10.2.0.10:80 10.1.0.10:1234'],
    ['udp 10.1.0.10 10.2.0.10:53', undefined, 'udp 10.2.0.10:53 10.1.0.10'],
    ['tcp [FD00::0:1]:1234 [fd01::1]:80', 'tcp [fd00::1]:1234 [fd01::1]:80', 'tcp [fd01::1]:80 [fd00::1]:1234'],
    ['tcp [fd00::1] fd01::1', 'tcp fd00::1 fd01::1', 'tcp fd01::1 fd00::1'],
    ['icmp fd00::1 fd01::1', undefined, 'icmp fd01::1 fd00::1'],
  ] as const) {
    test(`${text} is read, and turned round`, () => {
      const flow = parseFlow(text);
      assert.equal(flowText(flow), canonical ?? text);
      assert.equal(flowText(flowBack(flow)), back);
      assert.equal(flow.family, text.includes('::') ? 6 : 4);
    });
  }

  for (const text of [
    '',
    'tcp 10.1.0.10:1234',
    'tcp 10.1.0.10:1234 10.2.0.10:80 x',
    'sctp 10.1.0.10 10.2.0.10',
    'icmp 10.1.0.10:1 10.2.0.10',
    'icmp [fd00::1]:1 fd01::1',
    'tcp 10.1.0.10:70000 10.2.0.10',
    'tcp [10.1.0.10]:1 10.2.0.10',
    'tcp fd00::1%eth0 fd01::1',
    'tcp [fd00::1]1 fd01::1',
    'tcp fd00::1 10.2.0.10',
  ])
    test(`"${text}" is none`, () => assert.throws(() => parseFlow(text), { code: 'InvalidValueError', errnoName: 'EINVAL' }));
});
