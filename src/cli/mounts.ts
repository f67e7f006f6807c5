import { realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type MountRecord, readMountRecords } from '../daemon/mount-record.ts';
import { isAlive } from '../daemon/process-alive.ts';
import { mayPass } from '../errors/index.ts';
import { readMountInfo } from '../fuse/mount-info.ts';
import { runProgram } from './run-program.ts';

/** A mount of nf.io that the kernel has. */
export interface LiveMount {
  readonly mountpoint: string;
  /** What its daemon noted; undefined when that is lost, as of a mount that came from another machine's /run. */
  readonly record: MountRecord | undefined;
  /** `private`: this user may not go there. `dead`: no process serves it, every access fails. `hung`: there is one, and it does not answer. */
  readonly state: 'mounted' | 'private' | 'hung' | 'dead';
}

const timeoutMs = 3000;

/** Every mount of nf.io in this mount namespace, whoever asks. The kernel's table says what is mounted; none can hang this. */
export async function listMounts(): Promise<readonly LiveMount[]> {
  return await inspectAll(mountpoints());
}

/** The mount at a path as a user wrote it, or undefined. Symbolic links are followed only when the path is no mountpoint itself. */
export async function findMount(path: string): Promise<LiveMount | undefined> {
  const places = mountpoints();
  const place = places.includes(resolve(path)) ? resolve(path) : await realpath(path).catch(noPlace);
  return (await inspectAll(places.filter((each) => each === place)))[0];
}

/** Nothing is mounted where there is nothing, nor is a dead mount named by what is below it. @throws what else the look failed with. */
function noPlace(error: unknown): string {
  if (mayPass(error)) throw error;
  return '';
}

function mountpoints(): readonly string[] {
  return [...new Set(readMountInfo().flatMap(({ mountpoint, type }) => (type === 'fuse.nfio' ? [mountpoint] : [])))].sort();
}

async function inspectAll(places: readonly string[]): Promise<readonly LiveMount[]> {
  const records = places.length === 0 ? new Map<string, MountRecord>() : await readMountRecords();
  const mounts = await Promise.all(places.map((place) => inspect(place, records.get(place))));
  return mounts.filter((mount) => mount !== undefined);
}

/** undefined for a mount of this type that another program made with `nfio/fuse`. */
async function inspect(mountpoint: string, record: MountRecord | undefined): Promise<LiveMount | undefined> {
  if (record !== undefined && !isAlive(record.supervisorPid) && !isAlive(record.serverPid)) return { mountpoint, record, state: 'dead' };
  const tree = await look(join(mountpoint, 'nf-types'));
  if (tree !== 'not there') return { mountpoint, record, state: tree };
  // It answered: asking once more does not hang.
  const code = await stat(mountpoint).then(
    () => '',
    (error: NodeJS.ErrnoException) => error.code,
  );
  if (code === 'EACCES') return { mountpoint, record, state: 'private' };
  if (code !== '') return { mountpoint, record, state: 'dead' };
  return record === undefined ? undefined : { mountpoint, record, state: 'mounted' };
}

/** Looks at a path from another process, which may hang in place of this one. */
async function look(path: string): Promise<'mounted' | 'hung' | 'not there'> {
  const { exitCode, timedOut } = await runProgram(['stat', '--format=', '--', path], { timeoutMs });
  if (timedOut) return 'hung';
  return exitCode === 0 ? 'mounted' : 'not there';
}
