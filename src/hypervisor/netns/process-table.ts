import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that cannot be taken for a later one with the same number. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly startTime: number;
}

/** The process of that number now, or undefined; one that has ended and was not reaped yet is none. */
export function findProcess(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTime: Number(fields[19]) };
  } catch {
    return undefined; // ENOENT, or ESRCH while it ends
  }
}

/** True while the very process runs. */
export function isAlive(id: ProcessId): boolean {
  return findProcess(id.pid)?.startTime === id.startTime;
}

/** Sends a signal if the very process is still there. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch {
    // ended just now
  }
}

/** Waits until the process is gone: true; false when it still runs after `timeoutMs`. */
export async function waitUntilGone(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (let pauseMs = 1; isAlive(id); pauseMs = Math.min(pauseMs * 2, 20)) {
    if (performance.now() > end) return false;
    await sleep(pauseMs);
  }
  return true;
}

/** A guest's init as its label names it. */
export interface LabelledProcess extends ProcessId {
  readonly id: string;
  readonly type: string;
  readonly name: string;
}

/** What a guest's init shows as its arguments, one after the other. */
export function guestLabel(guest: { readonly mountId: string; readonly id: string; readonly type: string; readonly name: string }): string {
  return ['nfio-guest', guest.mountId, guest.id, guest.type, guest.name].join(' ');
}

/** Inits of the guests of a mount, found by their label. */
export function findGuests(mountId: string): LabelledProcess[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.flatMap((number) => {
    const label = read(`/proc/${number}/cmdline`).split('\0', 1)[0] ?? '';
    const [, mount, id = '', type = '', name = ''] = label.split(' ');
    if (mount !== mountId || label !== guestLabel({ mountId, id, type, name })) return [];
    const found = isInit(number) ? findProcess(Number(number)) : undefined;
    return found === undefined ? [] : [{ ...found, id, type, name }];
  });
}

/** Pid 1 of a namespace right below this one: not what a guest gave the same arguments, if need be in a namespace of its own. */
function isInit(number: string): boolean {
  const numbers = namespaceNumbers(number);
  return numbers.at(-1) === '1' && numbers.length === namespaceNumbers('self').length + 1;
}

function namespaceNumbers(number: string): string[] {
  return /^NSpid:\t(.*)$/m.exec(read(`/proc/${number}/status`))?.[1]?.split('\t') ?? [];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
