import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { mayPass } from '../errors/absence.ts';

/** One line of /proc/self/mountinfo (proc(5)), as far as it is of use here. */
export interface MountInfo {
  readonly mountpoint: string;
  /** The file system's, `MAJOR:MINOR`. All mounts of one file system have the same. */
  readonly device: string;
  /** Type and subtype: `fuse.nfio`. */
  readonly type: string;
  readonly source: string;
}

/** Reads the text of mountinfo. Lines that are not understood are left out. */
export function parseMountInfo(text: string): MountInfo[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , device, , mountpoint] = before.split(' ');
    const [type, source] = after.split(' ');
    if (device === undefined || mountpoint === undefined || type === undefined || source === undefined) return [];
    return [{ mountpoint: unescapeOctal(mountpoint), device, type, source: unescapeOctal(source) }];
  });
}

/** Space, tab, newline and backslash are written as `\040` and so on; names are UTF-8. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The uppermost mount at a path, undefined when there is none. Does not touch the mounted file system itself, so it answers even if its server is dead. */
export function mountAt(path: string): MountInfo | undefined {
  const place = placeOf(path);
  return readMountInfo().findLast(({ mountpoint }) => mountpoint === place);
}

/** Where a file system is mounted in this mount namespace, in the order it was. */
export function mountpointsOf(device: string): string[] {
  return readMountInfo().flatMap((mount) => (mount.device === device ? [mount.mountpoint] : []));
}

/** True when something is mounted at the path. */
export function isMounted(mountpoint: string): boolean {
  return mountAt(mountpoint) !== undefined;
}

/** Every mount of this mount namespace, without touching any of them. */
export function readMountInfo(): MountInfo[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** The path as mountinfo spells it: absolute and without symbolic links, the last component unexamined. */
export function placeOf(path: string): string {
  const absolute = resolve(path);
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch (error) {
    if (mayPass(error)) throw error;
    return absolute; // what cannot be gone through is spelled as it was given
  }
}
