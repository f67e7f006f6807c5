import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { Caller } from '../domain/event.ts';
import { unlessAbsent } from '../errors/index.ts';
import { commandName } from '../fuse/command-name.ts';
import type { Ticket } from '../fuse/ticket.ts';

/** Enough for what is told of all but processes with hundreds of groups: each change is looked at, and reading a file of unknown length takes twice as long. */
const text = Buffer.alloc(4096);

const fields = { Name: /^Name:\t(.*)$/m, Tgid: /^Tgid:\t(\d+)$/m, Uid: /^Uid:\t(.*)$/m, Groups: /^Groups:[\t ]*(.*)$/m };

/**
 * Who made a request. Its process, program and supplementary groups, which the kernel does not tell, are read while the caller waits; once it has ended there are none.
 *
 * @throws as node:fs does when they cannot be read, and something depends on them: root needs no group.
 */
export function callerOf({ uid, gid, pid: thread }: Pick<Ticket, 'uid' | 'gid' | 'pid'>): Caller {
  const found = thread === 0 ? '' : statusOf(thread, uid === 0);
  // Another may have its number by now, where what somebody wrote is carried out at the end of the file.
  const status = numbers(fieldOf(found, 'Uid')).includes(uid) ? found : '';
  const pid = Number(fieldOf(status, 'Tgid') || thread);
  return {
    uid,
    gid,
    groups: uid === 0 ? [] : numbers(fieldOf(status, 'Groups')),
    pid,
    program: pid === thread ? fieldOf(status, 'Name') : commandName(pid),
  };
}

function statusOf(thread: number, canDoWithout: boolean): string {
  try {
    return unlessAbsent(() => read(`/proc/${thread}/status`)) ?? '';
  } catch (error) {
    if (canDoWithout) return '';
    throw error;
  }
}

function read(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const length = readSync(fd, text, 0, text.length, 0);
    return length < text.length ? text.toString('latin1', 0, length) : readFileSync(path, 'latin1');
  } finally {
    closeSync(fd);
  }
}

function fieldOf(status: string, name: keyof typeof fields): string {
  return fields[name].exec(status)?.[1] ?? '';
}

function numbers(field: string): number[] {
  return field
    .split(/\s/)
    .filter((each) => each !== '')
    .map(Number);
}
