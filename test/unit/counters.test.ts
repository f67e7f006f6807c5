import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { countsByInterface } from '../../src/domain/net-dev.ts';
import { readCounter } from '../../src/tree/counters.ts';

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999999     999    0    9    0     0          0         0   999999     999    0    9    0     0       0          0
   lan:    1000      10    0    1    0     0          0         0      200       2    0    3    0     0       0          0
   wan:9007199254    20    0    0    0     0          0         0      300       3    0    0    0     0       0          0
`;

let directory: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfio-counters-'));
});

after(() => rmSync(directory, { recursive: true, force: true }));

function source(files: { readonly dev?: string; readonly cpu?: string; readonly memory?: string }) {
  const write = (name: string, text: string | undefined): string | undefined => {
    if (text === undefined) return undefined;
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const netDevPath = write('dev', files.dev ?? netDev) ?? '';
  return { kind: 'procfs', netDevPath, cpuPath: write('cpu', files.cpu), memoryPath: write('memory', files.memory) } as const;
}

test('counters are sums over the interfaces, lo left out', () => {
  const read = (counter: string): number | undefined => readCounter(source({}), counter);
  assert.deepEqual(['rx_bytes', 'rx_packets', 'tx_bytes', 'tx_packets', 'pkt_drops'].map(read), [9007200254, 30, 500, 5, 4]);
});

test('of one interface, also where no space follows its colon; none for one that is not there', () => {
  assert.equal(readCounter(source({}), 'rx_bytes', 'wan'), 9007199254);
  assert.equal(readCounter(source({}), 'pkt_drops', 'lan'), 4);
  assert.equal(readCounter(source({}), 'rx_bytes', 'la'), undefined);
});

test('at the far ends of interfaces directions change places, and other interfaces do not count', () => {
  const far = { ...source({}), farEnds: { eth0: 'lan', eth1: 'wan' } };
  const read = (counter: string): number | undefined => readCounter(far, counter);
  assert.deepEqual(['rx_bytes', 'rx_packets', 'tx_bytes', 'tx_packets', 'pkt_drops'].map(read), [500, 5, 9007200254, 30, 4]);
  assert.equal(readCounter(far, 'rx_bytes', 'eth0'), 200);
  assert.equal(readCounter(far, 'rx_bytes', 'lan'), undefined);
  assert.equal(readCounter({ ...far, farEnds: {} }, 'rx_bytes'), 0);
});

test('what removed interfaces had counted goes on to count, of one that is not gone yet the larger of both', () => {
  const past = { always: { rx_bytes: 5 }, unless: { lan: { rx_bytes: 70 }, web: { rx_bytes: 300 } } };
  assert.equal(readCounter({ ...source({}), past }, 'rx_bytes'), 9007200254 + 5 + 300);
  assert.equal(readCounter({ ...source({}), past }, 'rx_bytes', 'lan'), 1000);
  // One that is being removed shows less for a moment: its other end has gone before it.
  const going = { always: {}, unless: { lan: { rx_bytes: 1700 } } };
  assert.equal(readCounter({ ...source({}), past: going }, 'rx_bytes'), 9007200254 + 700);
  const farEnds = { eth0: 'lan', eth1: 'gone' };
  const far = { always: {}, unless: { eth0: { rx_bytes: 70 }, eth1: { rx_bytes: 300 } } };
  assert.equal(readCounter({ ...source({}), farEnds, past: far }, 'rx_bytes'), 200 + 300);
  assert.deepEqual(countsByInterface(netDev, ['eth0', 'eth1'], farEnds), {
    eth0: { rx_bytes: 200, rx_packets: 2, tx_bytes: 1000, tx_packets: 10, pkt_drops: 4 },
  });
  assert.equal(countsByInterface(netDev, ['wan', 'web'], undefined)['wan']?.['rx_packets'], 20);
});

test('a guest without interfaces has counted nothing, one that is gone has no counters', () => {
  const headings = netDev.split('\n').slice(0, 2).join('\n');
  assert.equal(readCounter(source({ dev: `${headings}\n` }), 'rx_bytes'), 0);
  assert.equal(
    readCounter(
      { kind: 'procfs', netDevPath: join(directory, 'gone'), cpuPath: undefined, memoryPath: join(directory, 'gone') },
      'rx_bytes',
    ),
    undefined,
  );
  assert.equal(
    readCounter({ kind: 'procfs', netDevPath: '/proc/none', cpuPath: undefined, memoryPath: undefined }, 'memory_bytes'),
    undefined,
  );
});

test('a file with very many interfaces is read whole', () => {
  const lines = Array.from({ length: 2000 }, (_, index) => `e${index}: 1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0 ${' '.repeat(60)}`);
  const dev = `${netDev.split('\n').slice(0, 2).join('\n')}\n${lines.join('\n')}\n`;
  assert.ok(dev.length > 128 * 1024);
  assert.equal(readCounter(source({ dev }), 'tx_bytes'), 4000);
});

test('processor time and memory, in the forms of both cgroup versions', () => {
  assert.equal(readCounter(source({ cpu: '123456789\n' }), 'cpu_usec'), 123456);
  assert.equal(readCounter(source({ cpu: 'usage_usec 4711\nuser_usec 1\nsystem_usec 2\n' }), 'cpu_usec'), 4711);
  const stat = join(directory, 'stat');
  writeFileSync(stat, `4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20\n`);
  assert.equal(readCounter({ ...source({}), cpuPath: stat }, 'cpu_usec'), 3_000_000);
  assert.equal(readCounter(source({ memory: '1048576\n' }), 'memory_bytes'), 1048576);
  assert.equal(readCounter(source({}), 'cpu_usec'), undefined);
});
