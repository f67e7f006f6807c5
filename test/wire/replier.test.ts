import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replier, type Ticket } from '../../src/fuse/index.ts';
import { failure, header, hex, reply, WireTransport } from '../support/wire.ts';
import { attr, entry, entryBytes } from '../support/wire-attributes.ts';

function make(): { replier: Replier; transport: WireTransport; ticket: Ticket } {
  const transport = new WireTransport();
  return { transport, replier: new Replier(transport, 4096), ticket: { ...header, opcode: 16 } };
}

test('each reply has the bytes that the session would send', () => {
  const cases: readonly (readonly [(replier: Replier, ticket: Ticket) => boolean, Buffer])[] = [
    [(replier, ticket) => replier.ok(ticket), reply()],
    [(replier, ticket) => replier.error(ticket, 4), reply(undefined, 4)],
    [(replier, ticket) => replier.error(ticket, 703), reply(undefined, 5)],
    [(replier, ticket) => replier.write(ticket, 3), reply(hex('03 00 00 00 00 00 00 00'))],
    [(replier, ticket) => replier.xattrSize(ticket, 3), reply(hex('03 00 00 00 00 00 00 00'))],
    [(replier, ticket) => replier.lseek(ticket, 2 ** 32), reply(hex('00 00 00 00 01 00 00 00'))],
    [(replier, ticket) => replier.poll(ticket, 1), reply(hex('01 00 00 00 00 00 00 00'))],
    [(replier, ticket) => replier.bytes(ticket, Buffer.from('abc')), reply(Buffer.from('abc'))],
    [(replier, ticket) => replier.bytes(ticket, Buffer.alloc(0)), reply()],
    [(replier, ticket) => replier.bytes(ticket, Buffer.alloc(4097)), reply(undefined, 5)],
    [(replier, ticket) => replier.text(ticket, 'é'), reply(Buffer.from('é'))],
    [(replier, ticket) => replier.open(ticket, 1, 2), reply(hex('01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00'))],
    [(replier, ticket) => replier.entry(ticket, entry), reply(hex(entryBytes))],
    [
      (replier, ticket) => replier.create(ticket, entry, { fh: 1, openFlags: 2 }),
      reply(Buffer.concat([hex(entryBytes), hex('01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00')])),
    ],
    [
      (replier, ticket) => replier.lock(ticket, { start: 1, end: 2, type: 2, pid: 0 }),
      reply(hex('01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00')),
    ],
  ];
  for (const [answer, bytes] of cases) {
    const { replier, transport, ticket } = make();
    assert.equal(answer(replier, ticket), true);
    assert.deepEqual(
      transport.replies.map((sent) => sent.toString('hex')),
      [bytes.toString('hex')],
    );
  }
});

test('a ticket is answered once', () => {
  const { replier, transport, ticket } = make();
  assert.equal(replier.accept(ticket), true);
  assert.equal(replier.outstanding, 1);
  assert.equal(replier.error(ticket, 4), true);
  assert.equal(replier.write(ticket, 3), false);
  assert.equal(replier.attr(ticket, attr, 0), false);
  assert.equal(replier.accept(ticket), false);
  assert.equal(replier.outstanding, 0);
  assert.deepEqual(transport.replies, [reply(undefined, 4)]);
});

test('an accepted ticket is found by its number until it is answered', () => {
  const { replier, ticket } = make();
  assert.equal(replier.find(ticket.uniqueLow, ticket.uniqueHigh), undefined);
  replier.accept(ticket);
  assert.equal(replier.find(ticket.uniqueLow, ticket.uniqueHigh), ticket);
  replier.ok(ticket);
  assert.equal(replier.find(ticket.uniqueLow, ticket.uniqueHigh), undefined);
});

test('a request that is sent again while it waits has one answer, under its new number', () => {
  const { replier, transport, ticket } = make();
  const again = { ...ticket, uniqueHigh: (ticket.uniqueHigh | 0x80000000) >>> 0 };
  assert.equal(replier.accept(ticket), true);
  assert.equal(replier.accept(again), false);
  assert.equal(replier.outstanding, 1);
  assert.equal(replier.ok(again), false);
  assert.equal(replier.ok(ticket), true);
  assert.equal(transport.replies.length, 1);
  assert.equal(transport.replies[0]?.readUInt32LE(12), again.uniqueHigh);
  assert.equal(replier.outstanding, 0);
});

test('a thousand tickets out of order leave nothing behind', () => {
  const { replier, transport } = make();
  const tickets = Array.from({ length: 1000 }, (_, at) => ({ ...header, uniqueLow: at * 2 + 2, opcode: 15 }));
  for (const ticket of tickets) assert.equal(replier.accept(ticket), true);
  assert.equal(replier.outstanding, 1000);
  for (const ticket of tickets.toReversed()) assert.equal(replier.write(ticket, ticket.uniqueLow), true);
  assert.equal(replier.outstanding, 0);
  assert.ok(transport.replies.every((bytes) => bytes.readUInt32LE(8) === bytes.readUInt32LE(16)));
});

test('a request that was aborted is no error', () => {
  const { replier, transport, ticket } = make();
  transport.refusal = failure('ENOENT');
  assert.equal(replier.ok(ticket), false);
  assert.equal(replier.ok(ticket), false);
  assert.deepEqual(transport.replies, []);
});

test('a reply that the kernel refuses becomes EIO, and is told', () => {
  const { replier, transport, ticket } = make();
  transport.refusal = failure('EINVAL');
  assert.throws(() => replier.bytes(ticket, Buffer.from('abc')), { code: 'EINVAL' });
  assert.deepEqual(transport.replies, [reply(undefined, 5)]);
});

test('a listing stops at the size that was asked for', () => {
  const { replier, transport, ticket } = make();
  const taken: boolean[] = [];
  const answered = replier.directory(ticket, { size: 70, plus: false }, (listing) => {
    for (let at = 1; at <= 3; at += 1) taken.push(listing.addPlus('name', entry, at));
  });
  assert.equal(answered, true);
  assert.deepEqual(taken, [true, true, false]);
  assert.equal(transport.replies[0]?.length, 16 + 64);
});
