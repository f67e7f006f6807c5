import { readFileSync } from 'node:fs';
import type { Caller } from '../domain/event.ts';
import { unlessAbsent } from '../errors/index.ts';
import { commandName } from '../fuse/command-name.ts';
import type { Ticket } from '../fuse/ticket.ts';

/**
 * Who made a request. Its process, program and supplementary groups, which the kernel does not tell, are read while the caller waits; once it has ended there are none.
 *
 * @throws as node:fs does when they cannot be read, and something depends on them: root needs no group.
 */
export function callerOf({ uid, gid, pid: thread }: Pick<Ticket, 'uid' | 'gid' | 'pid'>): Caller {
  const found = thread === 0 ? '' : statusOf(thread, uid === 0);
  // Another may have its number by now, where what somebody wrote is carried out at the end of the file.
  const status = fieldOf(found, 'Uid').split(/\s+/).map(Number).includes(uid) ? found : '';
  const pid = Number(fieldOf(status, 'Tgid') || thread);
  const program = pid === thread ? fieldOf(status, 'Name') : commandName(pid);
  const groups = uid === 0 ? '' : fieldOf(status, 'Groups');
  return {
    uid,
    gid,
    groups: groups
      .split(' ')
      .filter((each) => each !== '')
      .map(Number),
    pid,
    program,
  };
}

function statusOf(thread: number, canDoWithout: boolean): string {
  try {
    return unlessAbsent(() => readFileSync(`/proc/${thread}/status`, 'latin1')) ?? '';
  } catch (error) {
    if (canDoWithout) return '';
    throw error;
  }
}

function fieldOf(status: string, name: string): string {
  return new RegExp(`^${name}:[\\t ]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
}
