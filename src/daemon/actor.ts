import { readFileSync } from 'node:fs';
import { type Actor, rootActor } from '../domain/authority.ts';
import type { Ticket } from '../fuse/ticket.ts';

/** Who made a request. Supplementary groups, which the kernel does not tell, are read while the caller waits; there are none once it has ended. */
export function actorOf({ uid, gid, pid }: Ticket): Actor {
  return uid === 0 ? rootActor : { uid, gid, groups: pid === 0 ? [] : groupsOf(pid) };
}

function groupsOf(pid: number): readonly number[] {
  try {
    const groups = /^Groups:[\t ]*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
    return groups
      .split(' ')
      .filter((each) => each !== '')
      .map(Number);
  } catch {
    return [];
  }
}
