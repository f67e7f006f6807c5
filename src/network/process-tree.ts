import { readdirSync, readFileSync } from 'node:fs';

/** A tree that grows faster than it is stopped is looked at so often. */
const mostLooks = 20;

/**
 * Kills a process and all that it started and that its starters have not left behind: also those that made a process group of their own (timeout(1)) or a
 * session. They are stopped first, so that none gets away while the others are looked for.
 */
export function killTree(root: number): void {
  const found = new Set<number>();
  for (let looks = 0; looks < mostLooks; looks += 1) {
    const fresh = descendants(root).filter((pid) => !found.has(pid));
    if (fresh.length === 0) break;
    for (const pid of fresh) {
      found.add(pid);
      send(pid, 'SIGSTOP');
    }
  }
  send(-root, 'SIGKILL');
  for (const pid of found) send(pid, 'SIGKILL');
}

/** A process and its descendants. */
function descendants(root: number): number[] {
  const all = [root];
  for (const pid of all) all.push(...childrenOf(pid));
  return all;
}

/** The children of all threads of a process (proc_pid_task(5)); none of one that has ended. */
function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.flatMap((thread) => numbers(readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')));
  } catch {
    return [];
  }
}

function numbers(text: string): number[] {
  return text.split(' ').filter(Boolean).map(Number);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended just now
  }
}
