import { readFileSync } from 'node:fs';
import { type Actor, rootActor } from '../domain/authority.ts';
import { unlessAbsent } from '../errors/index.ts';
import type { Ticket } from '../fuse/ticket.ts';

/** Who made a request. Supplementary groups, which the kernel does not tell, are read while the caller waits; there are none once it has ended. @throws as node:fs does when they cannot be read. */
export function actorOf({ uid, gid, pid }: Ticket): Actor {
  return uid === 0 ? rootActor : { uid, gid, groups: pid === 0 ? [] : groupsOf(pid) };
}

function groupsOf(pid: number): readonly number[] {
  const status = unlessAbsent(() => readFileSync(`/proc/${pid}/status`, 'latin1')) ?? '';
  const groups = /^Groups:[\t ]*(.*)$/m.exec(status)?.[1] ?? '';
  return groups
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);
}
