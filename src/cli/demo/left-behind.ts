import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from '../../domain/bounded.ts';
import { isAbsence } from '../../errors/index.ts';

/** What a mount made on this machine, to be looked for when it should be gone. */
export interface Traces {
  /** Holds the mountpoint and the root. */
  readonly directory: string;
  /** Part of every name that the mount gave; undefined when it never came to be. */
  readonly mountId: string | undefined;
}

/** Mounts, network namespaces, control groups and processes that are still there, in words. */
export async function leftBehind({ directory, mountId }: Traces): Promise<readonly string[]> {
  const marks = mountId === undefined ? [directory] : [directory, mountId];
  const marked = (text: string): boolean => marks.some((mark) => text.includes(mark));
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter(marked);
  const namespaces = (await names('/run/netns')).filter(marked);
  return [
    ...mounts.map((line) => `mount: ${line}`),
    ...namespaces.map((name) => `network namespace ${name}`),
    ...(await controlGroups(marked)).map((path) => `control group ${path}`),
    ...(await processes(marked)).map((line) => `process ${line}`),
  ];
}

async function names(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(noneIfAbsent([]));
}

/** What a look gives that fails because there is nothing. */
function noneIfAbsent<T>(nothing: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (isAbsence(error) || error.code === 'ENOTDIR') return nothing;
    throw error;
  };
}

/** Groups are in nfio/, below the root (version 2) or below each controller (version 1). */
async function controlGroups(marked: (text: string) => boolean): Promise<readonly string[]> {
  const hierarchy = '/sys/fs/cgroup';
  const parents = ['', ...(await names(hierarchy))].map((name) => join(hierarchy, name, 'nfio'));
  const found = await Promise.all(parents.map(async (parent) => (await names(parent)).map((name) => join(parent, name))));
  return found.flat().filter(marked);
}

/** Processes, other than this one, that have a mark in their command line: the daemon and its guests. */
async function processes(marked: (text: string) => boolean): Promise<readonly string[]> {
  const pids = (await names('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await mapBounded(pids, async (pid) => {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(noneIfAbsent(''));
    return `${pid}: ${line.replaceAll('\0', ' ').trim()}`;
  });
  return lines.filter(marked);
}
