import { lstat, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsence, NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';

/** Character devices every guest has: name, major, minor (Documentation/admin-guide/devices.txt). */
const nodes = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
  ['net/tun', 10, 200],
] as const;

const links = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
] as const;

/** Makes the directory that is mounted, read-only, as /dev of every guest. */
export async function makeDeviceDirectory(path: string): Promise<void> {
  for (const name of ['net', 'pts', 'shm']) await mkdir(join(path, name), { recursive: true });
  const missing = await absent(nodes.map(([name]) => join(path, name)));
  for (const [name, major, minor] of nodes) {
    if (missing.has(join(path, name))) await makeNode(join(path, name), major, minor);
  }
  const unlinked = await absent(links.map(([name]) => join(path, name)));
  for (const [name, target] of links) if (unlinked.has(join(path, name))) await symlink(target, join(path, name));
}

async function makeNode(path: string, major: number, minor: number): Promise<void> {
  const argv = ['mknod', '--mode=0666', path, 'c', String(major), String(minor)] as const;
  const made = await runProgram(argv, { signal: AbortSignal.timeout(10_000) });
  if (made.exitCode !== 0) throw new NfioError('VNFDeployError', { message: `a device node could not be made: ${made.stderr.trim()}` });
}

async function absent(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    paths.map((path) =>
      lstat(path).then(
        () => true,
        (error: unknown) => !isAbsence(error),
      ),
    ),
  );
  return new Set(paths.filter((_, index) => found[index] !== true));
}
