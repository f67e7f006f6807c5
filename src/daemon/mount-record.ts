import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from '../domain/bounded.ts';
import { isAbsence } from '../errors/index.ts';
import { type OptionsToMountAgain, runtimeDirectory } from './options.ts';

/** What the daemon of a mount notes for other processes. There is nothing secret in it: every user may read it. */
export interface MountRecord {
  readonly mountId: string;
  readonly mountpoint: string;
  /** Of the file system, MAJOR:MINOR. */
  readonly device: string;
  readonly root: string;
  readonly hypervisor: string;
  /** An older version noted none. */
  readonly options?: OptionsToMountAgain;
  readonly supervisorPid: number;
  readonly serverPid: number;
  readonly startedAt: string;
  readonly version: string;
}

const directory = join(runtimeDirectory, 'mounts');

/** Notes a mount, in place of what was noted of it before. */
export function writeMountRecord(record: MountRecord): void {
  mkdirSync(directory, { recursive: true });
  // Whoever made them first may have made them for root alone; what else is in the runtime directory is closed by its own modes.
  chmodSync(runtimeDirectory, 0o711);
  chmodSync(directory, 0o755);
  const path = recordPath(record.mountId);
  writeFileSync(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
  chmodSync(`${path}.new`, 0o644);
  renameSync(`${path}.new`, path);
}

export function removeMountRecord(mountId: string): void {
  rmSync(recordPath(mountId), { force: true });
}

/** All that is noted, by mountpoint; of a mount whose daemon was killed too. */
export async function readMountRecords(): Promise<ReadonlyMap<string, MountRecord>> {
  const names = (await readdir(directory).catch(noneIfAbsent)).filter((name) => name.endsWith('.json'));
  const records = await mapBounded(names, (name) => readRecord(join(directory, name)));
  const known = records.filter((record) => record !== undefined).sort((a, b) => a.startedAt.localeCompare(b.startedAt));
  return new Map(known.map((record) => [record.mountpoint, record]));
}

function recordPath(mountId: string): string {
  return join(directory, `${mountId}.json`);
}

/** A record that is gone or being replaced at this moment counts as none. */
async function readRecord(path: string): Promise<MountRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as MountRecord;
  } catch (error) {
    if (isAbsence(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function noneIfAbsent(error: unknown): string[] {
  if (isAbsence(error)) return [];
  throw error;
}
