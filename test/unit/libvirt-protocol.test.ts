import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { describe, test } from 'node:test';
import { Connection } from '../../src/hypervisor/libvirt/rpc/connection.ts';
import { LibvirtError } from '../../src/hypervisor/libvirt/rpc/libvirt-error.ts';
import { encodePacket, MessageStatus, MessageType, type Packet, PacketReader, Program } from '../../src/hypervisor/libvirt/rpc/packet.ts';
import { type DomainEvent, procedures } from '../../src/hypervisor/libvirt/rpc/procedures.ts';
import { XdrReader } from '../../src/hypervisor/libvirt/rpc/xdr-reader.ts';
import { XdrWriter } from '../../src/hypervisor/libvirt/rpc/xdr-writer.ts';
import { Prng } from '../support/prng.ts';

const { signal } = new AbortController();

/** One end of a connection, with the other in the hands of the test, which plays the daemon. */
function played() {
  const [ours, theirs] = duplexPair();
  const events: DomainEvent[] = [];
  const closed: string[] = [];
  const connection = new Connection(ours, { onEvent: (event) => events.push(event), onClose: (why) => closed.push(why) });
  const calls: Packet[] = [];
  const reader = new PacketReader();
  const waiting: (() => void)[] = [];
  theirs.on('data', (chunk: Buffer) => {
    calls.push(...reader.take(chunk));
    for (const wake of waiting.splice(0)) wake();
  });
  const arrived = async (count: number): Promise<void> => {
    while (calls.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const reply = (serial: number, write: (writer: XdrWriter) => void, status: number = MessageStatus.OK): void => {
    const writer = new XdrWriter();
    write(writer);
    theirs.write(encodePacket({ program: Program.REMOTE, procedure: 0, type: MessageType.REPLY, serial, status }, writer.bytes()));
  };
  return { connection, theirs, events, closed, calls, arrived, reply };
}

describe('XDR', () => {
  test('values are big-endian and padded to four bytes', () => {
    const bytes = new XdrWriter()
      .int(-2)
      .uint(0xfffffffe)
      .uhyper(2 ** 40)
      .string('abcde')
      .optionalString(undefined)
      .optionalString('')
      .bytes();
    assert.equal(
      bytes.toString('hex'),
      'fffffffe' + 'fffffffe' + '0000010000000000' + '00000005' + '6162636465000000' + '00000000' + '0000000100000000',
    );
    const reader = new XdrReader(bytes);
    assert.deepEqual([reader.int(), reader.uint(), reader.uhyper(), reader.string()], [-2, 0xfffffffe, 2 ** 40, 'abcde']);
    const optional = (): string | undefined => reader.optional(() => reader.string());
    assert.deepEqual([optional(), optional()], [undefined, '']);
  });

  test('what is longer than the buffer at the beginning is written whole', () => {
    const text = 'ü'.repeat(5000);
    const bytes = new XdrWriter().string('a').string(text).int(7).bytes();
    const reader = new XdrReader(bytes);
    assert.deepEqual([reader.string(), reader.string(), reader.int()], ['a', text, 7]);
  });

  test('bytes that end too early, and lengths that lie, are a RangeError', () => {
    const whole = new XdrWriter().string('abcdefgh').bytes();
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => new XdrReader(whole.subarray(0, length)).string(), RangeError);
    assert.throws(() => new XdrReader(Buffer.from('ffffffff', 'hex')).string(), RangeError);
    assert.throws(() => new XdrReader(Buffer.from('ffffffff00000000', 'hex')).array(() => 0), RangeError);
  });
});

describe('messages', () => {
  const header = { program: Program.REMOTE, procedure: 60, type: MessageType.CALL, serial: 9, status: MessageStatus.OK };

  test('a call is its length, six words and its arguments', () => {
    const bytes = encodePacket(header, new XdrWriter().int(10).bytes());
    assert.equal(bytes.toString('hex'), '0000002020008086' + '00000001' + '0000003c' + '00000000' + '00000009' + '00000000' + '0000000a');
  });

  test('they are found however the stream is cut', () => {
    const stream = Buffer.concat(['one', 'two', 'three'].map((text) => encodePacket(header, new XdrWriter().string(text).bytes())));
    for (let size = 1; size <= stream.length; size++) {
      const reader = new PacketReader();
      const found: string[] = [];
      for (let start = 0; start < stream.length; start += size) {
        for (const { payload } of reader.take(stream.subarray(start, start + size))) found.push(payload.string());
      }
      assert.deepEqual(found, ['one', 'two', 'three']);
    }
  });

  test('a length that no message has is refused', () => {
    for (const length of ['00000000', '0000001b', 'ffffffff']) {
      assert.throws(() => new PacketReader().take(Buffer.from(length.padEnd(64, '0'), 'hex')), RangeError);
    }
  });
});

describe('a connection', { timeout: 10_000 }, () => {
  test('answers find their calls in any order', async () => {
    const { connection, calls, arrived, reply } = played();
    const first = connection.call(procedures.nodeGetFreeMemory, [], signal);
    const second = connection.call(procedures.connectGetVersion, [], signal);
    await arrived(2);
    reply(calls[1]?.header.serial ?? 0, (writer) => void writer.uhyper(2));
    reply(calls[0]?.header.serial ?? 0, (writer) => void writer.uhyper(1));
    assert.deepEqual(await Promise.all([first, second]), [1, 2]);
  });

  test('an error comes with its code, its domain and the errno of the system call', async () => {
    const { connection, arrived, reply } = played();
    const failing = connection.call(procedures.domainLookupByName, ['x'], signal);
    await arrived(1);
    const write = (writer: XdrWriter): void =>
      void writer.int(38).int(10).optionalString('no space').int(2).uint(0).optionalString('%s').uint(0).uint(0).int(28).int(-1).uint(0);
    reply(1, write, MessageStatus.ERROR);
    await assert.rejects(failing, (error: LibvirtError) => {
      assert.deepEqual([error.number, error.domain, error.systemErrno, error.message], [38, 10, 28, 'no space']);
      return error instanceof LibvirtError;
    });
  });

  test('an abort rejects at once; the answer that comes later is nobody’s', async () => {
    const { connection, arrived, reply } = played();
    const abort = new AbortController();
    const waiting = connection.call(procedures.nodeGetFreeMemory, [], abort.signal);
    await arrived(1);
    abort.abort();
    await assert.rejects(waiting, { code: 'InterruptedError' });
    reply(1, (writer) => void writer.uhyper(1));
    const next = connection.call(procedures.nodeGetFreeMemory, [], signal);
    await arrived(2);
    reply(2, (writer) => void writer.uhyper(5));
    assert.equal(await next, 5);
  });

  test('its end rejects what waits, once, and what comes after', async () => {
    const { connection, theirs, closed, arrived } = played();
    const waiting = connection.call(procedures.nodeGetFreeMemory, [], signal);
    await arrived(1);
    theirs.end();
    await assert.rejects(waiting, { code: 'HypervisorConnectionError', retryable: true });
    await assert.rejects(connection.call(procedures.nodeGetFreeMemory, [], signal), { code: 'HypervisorConnectionError' });
    assert.equal(closed.length, 1);
  });

  test('events are handed on, keepalives answered', async () => {
    const { events, theirs, calls, arrived } = played();
    const payload = new XdrWriter().int(1).string('vm').fixed(Buffer.alloc(16, 0xab)).int(3).int(5).int(1).bytes();
    theirs.write(encodePacket({ program: Program.REMOTE, procedure: 318, type: MessageType.MESSAGE, serial: 0, status: 0 }, payload));
    theirs.write(
      encodePacket({ program: Program.KEEPALIVE, procedure: 1, type: MessageType.MESSAGE, serial: 0, status: 0 }, new Uint8Array()),
    );
    await arrived(1);
    assert.deepEqual([calls[0]?.header.program, calls[0]?.header.procedure], [Program.KEEPALIVE, 2]);
    assert.deepEqual(events, [{ kind: 'lifecycle', domain: { name: 'vm', uuid: 'ab'.repeat(16), id: 3 }, event: 5, detail: 1 }]);
  });

  test('a daemon that sends rubbish is taken for gone', async () => {
    const random = new Prng(4711);
    for (let round = 0; round < 50; round++) {
      const { connection, theirs, closed } = played();
      const waiting = connection.call(procedures.connectListAllDomains, [0], signal);
      theirs.end(random.bytes(1 + random.below(200)));
      await assert.rejects(waiting);
      assert.equal(closed.length, 1);
    }
  });
});
