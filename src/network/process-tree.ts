import { readdirSync, readFileSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';

/** A tree that grows faster than it is stopped is looked at so often. */
const mostLooks = 20;

/** What cannot be looked at is looked at again so often, after so many milliseconds. */
const mostTries = 50;
const againMs = 100;

/**
 * Kills a process and all that it started and that its starters have not left behind: also those that made a process group of their own (timeout(1)) or a
 * session. They are stopped first, so that none gets away while the others are looked for. While they cannot be looked for, at the limit of open files, the root is stopped and
 * all else waits: once it is killed, nobody finds what it started.
 */
export function killTree(root: number, tries = mostTries): void {
  const found = new Set<number>();
  try {
    stopAll(root, found);
  } catch (error) {
    send(root, 'SIGSTOP');
    if (tries > 1) {
      setTimeout(() => killTree(root, tries - 1), againMs);
      return;
    }
    process.emitWarning(`what process ${root} started may run on: ${(error as Error).message}`);
  }
  send(-root, 'SIGKILL');
  for (const pid of found) send(pid, 'SIGKILL');
}

function stopAll(root: number, found: Set<number>): void {
  for (let looks = 0; looks < mostLooks; looks += 1) {
    const fresh = descendants(root).filter((pid) => !found.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      found.add(pid);
      send(pid, 'SIGSTOP');
    }
  }
}

/** A process and its descendants. */
function descendants(root: number): number[] {
  const all = [root];
  for (const pid of all) all.push(...childrenOf(pid));
  return all;
}

/** The children of all threads of a process (proc_pid_task(5)); none of one that has ended. @throws as node:fs does when they cannot be told. */
function childrenOf(pid: number): number[] {
  const threads = unlessAbsent(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads.flatMap((thread) => numbers(unlessAbsent(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')) ?? ''));
}

function numbers(text: string): number[] {
  return text.split(' ').filter(Boolean).map(Number);
}

function send(pid: number, signal: NodeJS.Signals): void {
  unlessAbsent(() => process.kill(pid, signal)); // else it has ended just now
}
