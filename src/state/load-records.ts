import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectRecord, StoredRecord } from '../domain/records.ts';
import { isAbsence, mayPass } from '../errors/index.ts';
import { decodeRecord } from './record-codec.ts';

/** How often a file is tried that cannot be read, and the pause before the second time, which doubles. Milliseconds. */
const mostTries = 5;
const firstPauseMs = 20;

/** A place in the tree where a record should be. */
export interface RecordPlace {
  /** Path below the root. */
  readonly key: string;
  readonly path: string;
}

/**
 * Reads a record. One that is there and cannot be read, or is damaged, keeps its place: a stand-in with `unreadable`.
 *
 * @param serial gives the stand-in its serial.
 * @returns undefined where a directory has no record: a loss of power may leave that of what was being made.
 */
export async function loadRecord({ key, path }: RecordPlace, serial: () => number): Promise<StoredRecord | undefined> {
  try {
    return placed(decodeRecord(await readPatiently(path)), key);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    return standIn(key, serial(), (error as Error).message);
  }
}

/** What may pass is waited for. @throws as node:fs does. */
async function readPatiently(path: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (!mayPass(error) || tries === mostTries) throw error;
      await sleep(firstPauseMs * 2 ** (tries - 1));
    }
  }
}

/** A record under the name of its directory: a crash in the middle of a rename leaves the old name in the record. */
function placed(record: StoredRecord, key: string): StoredRecord {
  const [, first = '', second] = key.split('/');
  return record.kind === 'vnf' ? { ...record, type: first, name: second ?? '' } : { ...record, name: first };
}

/** Nobody but root has anything to do with it. */
function standIn(key: string, serial: number, unreadable: string): StoredRecord {
  const [home = '', name = '', vnf] = key.split('/');
  const object: ObjectRecord = { serial, unreadable, uid: 0, gid: 0, mode: 0o755, createdMs: 0, ownership: {}, settings: {} };
  if (home === 'networks') return { ...object, kind: 'network', name };
  if (home === 'hosts') return { ...object, kind: 'host', name };
  if (home === 'quotas') return { ...object, kind: 'quota', name };
  if (home === 'chns') return { ...object, kind: 'chain', name, hops: [], links: [], applied: undefined, settled: true };
  if (vnf === undefined) return { ...object, kind: 'type', name };
  return { ...object, kind: 'vnf', type: name, name: vnf, ports: [], deployed: false, placement: undefined, inconsistent: false };
}
