import { readdir, readFile } from 'node:fs/promises';
import { runProgram } from '../run-program.ts';

/** What of the machine a demo could leave behind, as one text for each thing. */
export type World = ReadonlySet<string>;

/** Looks at the mounts, named network namespaces, interfaces, nftables tables and guests' processes of this machine. */
export async function lookAround(directory: string): Promise<World> {
  const [mounts, namespaces, links, tables, processes] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8').then((text) => text.split('\n').filter((line) => line.includes(directory))),
    readdir('/run/netns').catch(() => []),
    runProgram(['ip', '-brief', 'link'], { timeoutMs: 5000 }).then((result) => firstWords(result.stdout)),
    runProgram(['nft', 'list', 'tables'], { timeoutMs: 5000 }).then((result) => result.stdout.split('\n')),
    processesNaming(directory),
  ]);
  const named = (kind: string, names: readonly string[]): string[] => names.filter((name) => name !== '').map((name) => `${kind} ${name}`);
  return new Set([
    ...named('mount', mounts),
    ...named('network namespace', namespaces),
    ...named('interface', links),
    ...named('nftables', tables),
    ...named('process', processes),
  ]);
}

/** What is in the second and was not in the first. */
export function leftBehind(before: World, after: World): readonly string[] {
  return [...after].filter((thing) => !before.has(thing));
}

function firstWords(text: string): readonly string[] {
  return text.split('\n').map((line) => line.split(/\s+/)[0] ?? '');
}

/** Processes, other than this one, that have the directory in their command line: the daemon and its guests. */
async function processesNaming(directory: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return line.includes(directory) ? `${pid}: ${line.replaceAll('\0', ' ').trim()}` : '';
    }),
  );
  return found.filter((line) => line !== '');
}
