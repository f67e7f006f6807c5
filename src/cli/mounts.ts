import { readdir, readFile, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runtimeDirectory } from '../daemon/options.ts';
import { isAlive } from '../daemon/process-alive.ts';
import { readMountTable } from './mount-table.ts';

/** A mount as its daemon recorded it in mount.json of its runtime directory. */
export interface MountRecord {
  readonly mountId: string;
  readonly mountpoint: string;
  readonly root: string;
  readonly hypervisor: string;
  readonly supervisorPid: number;
  readonly serverPid: number;
  readonly startedAt: string;
  readonly version: string;
}

/** A recorded mount that the kernel knows too. */
export interface LiveMount extends MountRecord {
  /** The daemon's processes are there. Without them every access to the mount fails or waits. */
  readonly served: boolean;
}

/** Every mount of nf.io on this machine, without touching any of them. */
export async function listMounts(): Promise<readonly LiveMount[]> {
  const mounted = new Set((await readMountTable()).map((entry) => entry.mountpoint));
  return (await readRecords())
    .filter((record) => mounted.has(record.mountpoint))
    .map((record) => ({ ...record, served: isAlive(record.supervisorPid) || isAlive(record.serverPid) }))
    .sort((a, b) => a.mountpoint.localeCompare(b.mountpoint));
}

/** The mount at a path as a user wrote it, or undefined. Symbolic links are followed only when the path is no mountpoint itself. */
export async function findMount(path: string): Promise<LiveMount | undefined> {
  const mounts = await listMounts();
  const direct = mounts.find((mount) => mount.mountpoint === resolve(path));
  if (direct !== undefined) return direct;
  const real = await realpath(path).catch(() => undefined);
  return mounts.find((mount) => mount.mountpoint === real);
}

async function readRecords(): Promise<readonly MountRecord[]> {
  const names = await readdir(runtimeDirectory).catch(() => []);
  const records = await Promise.all(names.map((name) => readRecord(join(runtimeDirectory, name, 'mount.json'))));
  return records.filter((record) => record !== undefined);
}

/** A record that is gone or being replaced at this moment counts as none. */
async function readRecord(path: string): Promise<MountRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as MountRecord;
  } catch {
    return undefined;
  }
}
