import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { totalmem } from 'node:os';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { remoteCounters } from '../../src/hypervisor/docker/counters.ts';
import { Demultiplexer, formatEngineAddress, jsonLines, parseEngineAddress } from '../../src/hypervisor/docker/engine/index.ts';
import { sshArguments } from '../../src/hypervisor/docker/engine/ssh-connection.ts';
import { containerName } from '../../src/hypervisor/docker/labels.ts';
import { containerLimits, initialLimits } from '../../src/hypervisor/docker/limits.ts';
import { PullProgress } from '../../src/hypervisor/docker/pull-progress.ts';
import { tarEnd, tarHeader, tarPadding } from '../../src/hypervisor/docker/tar.ts';

describe('addresses of engines', () => {
  test('are read, and written as one text each', () => {
    const written = (text: string): string => formatEngineAddress(parseEngineAddress(text, '/own.sock'));
    for (const here of ['', 'localhost', '127.0.0.1', '::1', 'unix:///own.sock']) equal(written(here), 'unix:///own.sock');
    equal(written('tcp://10.0.0.1'), 'tcp://10.0.0.1:2376');
    equal(written('tcp://[fd00::1]:99'), 'tcp://[fd00::1]:99');
    equal(written('host.example'), 'host.example:2375');
    equal(written('ssh://me@host.example:2222'), 'ssh://me@host.example:2222');
    equal(written('ssh://host.example'), 'ssh://host.example');
  });

  test('that are none are refused, above all those that ssh would take for options', () => {
    const wrong = [
      'http://h',
      'unix://relative',
      'ssh://-oProxyCommand=x',
      'ssh://-l@h',
      'tcp://u@h',
      'h:0',
      'h:65536',
      'a b',
      '$(id)',
      'h:1:2',
      '-h',
      '\0',
    ];
    for (const text of wrong) throws(() => parseEngineAddress(text), { code: 'InvalidValueError' }, text);
  });

  test('reach ssh as arguments, after which nothing is an option', () => {
    const address = parseEngineAddress('ssh://me@host:22');
    ok(address.kind === 'ssh');
    const argv = sshArguments(address, 5000);
    deepEqual(argv.slice(argv.indexOf('--')), ['--', 'host', 'docker', 'system', 'dial-stdio']);
    ok(argv.includes('BatchMode=yes') && argv.includes('ConnectTimeout=5'));
  });
});

describe('streams of an engine', () => {
  const frame = (kind: number, text: string): Buffer => {
    const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const expected = [
    ['stdout', 'one'],
    ['stderr', ''],
    ['stderr', 'two\n'],
    ['stdout', 'three'],
  ];
  const whole = Buffer.concat([frame(1, 'one'), frame(2, ''), frame(2, 'two\n'), frame(1, 'three')]);

  test('are taken apart wherever they are cut', () => {
    for (let size = 1; size <= whole.length; size++) {
      const frames = new Demultiplexer();
      const got: string[][] = [];
      for (let at = 0; at < whole.length; at += size)
        got.push(...frames.take(whole.subarray(at, at + size)).map(({ stream, bytes }) => [stream, Buffer.from(bytes).toString()]));
      deepEqual(got, expected, `pieces of ${size}`);
    }
  });

  test('that are something else are refused, not waited for', () => {
    throws(() => new Demultiplexer().take(Buffer.from('HTTP/1.1 500')), { code: 'EPROTO' });
    throws(() => new Demultiplexer().take(Buffer.from([1, 0, 0, 0, 255, 255, 255, 255])), { code: 'EPROTO' });
  });

  test('of JSON give an object a line, in whatever pieces they come', async () => {
    const text = Buffer.from('{"a":"ä"}\n\n{"a":2}\r\n{"a":3}');
    for (let size = 1; size <= text.length; size++) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.subarray(index * size, (index + 1) * size));
      const got: unknown[] = [];
      for await (const object of jsonLines(Readable.from(pieces))) got.push(object);
      deepEqual(got, [{ a: 'ä' }, { a: 2 }, { a: 3 }]);
    }
  });
});

test('the progress of a pull grows, by the size of its layers, and never reaches the end before it', () => {
  const progress = new PullProgress();
  const line = (id: string, status: string, current = 0, total = 0): number | undefined =>
    progress.take({ id, status, progressDetail: { current, total } });
  equal(progress.take({ status: 'Pulling from library/x' }), undefined);
  equal(line('latest', 'Pulling from library/x'), undefined);
  equal(line('a', 'Pulling fs layer'), undefined);
  equal(line('b', 'Pulling fs layer'), undefined);
  equal(line('a', 'Downloading', 50, 100), 24);
  equal(line('a', 'Downloading', 100, 100), 49);
  equal(line('b', 'Downloading', 100, 900), undefined, 'what was shown is not taken back');
  equal(line('b', 'Downloading', 900, 900), 50);
  equal(line('b', 'Extracting', 450, 900), 72);
  equal(line('a', 'Pull complete'), 77);
  equal(line('b', 'Pull complete'), 99);
});

test('limits: none, fractions, and more than there is', () => {
  deepEqual(initialLimits({ vcpu: undefined, memoryBytes: undefined }, false), {});
  deepEqual(initialLimits({ vcpu: undefined, memoryBytes: undefined }, true), { Memory: Math.floor(totalmem() / 2), MemorySwap: -1 });
  deepEqual(initialLimits({ vcpu: 0.5, memoryBytes: undefined }, false), { CpuPeriod: 100_000, CpuQuota: 50_000 });
  const { CpuQuota, Memory, MemorySwap } = containerLimits({ vcpu: undefined, memoryBytes: 64 * 1024 * 1024 }, true);
  deepEqual([CpuQuota, Memory, MemorySwap], [-1, 64 * 1024 * 1024, 64 * 1024 * 1024]);
  ok(Number.isSafeInteger(containerLimits({ vcpu: 1e30, memoryBytes: 1e30 }, false).Memory));
  for (const limits of [
    { vcpu: 0, memoryBytes: undefined },
    { vcpu: undefined, memoryBytes: 1 },
    { vcpu: Number.NaN, memoryBytes: undefined },
  ])
    throws(() => containerLimits(limits, false), { code: 'InvalidValueError' });
});

test('an archive is what tar reads, long names and links too', () => {
  const long = `etc/nfio/${'directory/'.repeat(15)}file`;
  const base = { mode: 0o640, uid: 12, gid: 34, mtimeMs: 1_700_000_000_000 };
  const content = Buffer.from('content');
  const archive = Buffer.concat([
    tarHeader({ ...base, path: 'etc/nfio/', type: 'directory', size: 0 }),
    tarHeader({ ...base, path: long, type: 'file', size: content.length }),
    content,
    tarPadding(content.length),
    tarHeader({ ...base, path: 'etc/nfio/link', type: 'link', size: 0, target: `/${'up/'.repeat(50)}x` }),
    tarEnd,
  ]);
  const listed = execFileSync('tar', ['-tv', '--numeric-owner', '-f', '-'], {
    input: archive,
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
  });
  deepEqual(
    listed
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' ')),
    [
      'drw-r----- 12/34 0 2023-11-14 22:13 etc/nfio/',
      `-rw-r----- 12/34 7 2023-11-14 22:13 ${long}`,
      `lrw-r----- 12/34 0 2023-11-14 22:13 etc/nfio/link -> /${'up/'.repeat(50)}x`,
    ],
  );
  equal(execFileSync('tar', ['-xO', '-f', '-', long], { input: archive, encoding: 'utf8' }), 'content');
});

test('counters of an engine are summed over interfaces, and named as the files', () => {
  const eth0 = { rx_bytes: 1, rx_packets: 2, rx_dropped: 3, tx_bytes: 4, tx_packets: 5, tx_dropped: 6 };
  const counters = remoteCounters({
    networks: { eth0, eth1: eth0 },
    cpu_stats: { cpu_usage: { total_usage: 1_234_567 } },
    memory_stats: { usage: 7 },
  });
  deepEqual(counters, { rx_bytes: 2, tx_bytes: 8, rx_packets: 4, tx_packets: 10, pkt_drops: 18, cpu_usec: 1234, memory_bytes: 7 });
  equal(remoteCounters({}).rx_bytes, 0);
});

test('the name of a container is made of what Docker allows', () => {
  const name = containerName('mount123', { owner: 1000, type: 'fire-wall.2', name: 'a_b.c-d' });
  ok(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name), name);
});
