import { join } from 'node:path';
import type { Row, Target } from '../benchmark.ts';
import { type FileClient, type FileOperation, operationNames } from '../file-client.ts';
import { type Comparison, compare, type Subject, subject } from '../measure.ts';
import { type PeerName, peers } from '../peers.ts';
import type { MountedServer } from '../processes.ts';
import type { Workshop } from '../workshop.ts';

const targets: Readonly<Record<PeerName, Target>> = {
  'C libfuse3': { limit: 1.6 },
  fusepy: { limit: 1, exclusive: true },
  'fuse-native': { limit: 0.5 },
};
const operations: readonly FileOperation[] = ['stat', 'read'];
const peerNames = Object.keys(peers) as readonly PeerName[];

export interface PeerComparison {
  readonly benchmark: string;
  /** What the table calls our side. */
  readonly ours: string;
  /** A file of ours. */
  readonly file: string;
  readonly client: FileClient;
  readonly runs: number;
}

/** Starts all peers that can be had and compares a file of ours with theirs, in stat and in open+read+close. */
export async function compareWithPeers(workshop: Workshop, options: PeerComparison): Promise<readonly Row[]> {
  const { benchmark, ours, file, client, runs } = options;
  const files = new Map<string, () => Promise<string>>([[ours, async () => file]]);
  for (const name of peerNames) files.set(name, await peerFile(workshop, name));
  const rows: Row[] = [];
  for (const operation of operations) {
    const subjects = new Map<string, Subject>();
    for (const [name, path] of files) subjects.set(name, await subject(async () => client.prepare(operation, [await path()])));
    const comparisons = peerNames.map((peer): Comparison => ({ operation: operationNames[operation], ours, peer, target: targets[peer] }));
    rows.push(...(await compare(benchmark, { subjects, comparisons, runs, signal: workshop.signal })));
  }
  return rows;
}

/** Starts a peer once; asking for its file rejects with the reason when it could not be started. */
async function peerFile(workshop: Workshop, name: PeerName): Promise<() => Promise<string>> {
  const [started] = await Promise.allSettled([peers[name](workshop)]);
  return async () => join(settled<MountedServer>(started).mountpoint, 'control');
}

function settled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}
