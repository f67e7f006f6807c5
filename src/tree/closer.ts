import { Opcode } from '../fuse/abi/opcodes.ts';
import type { Request } from '../fuse/request.ts';
import type { Ticket } from '../fuse/ticket.ts';

/** Who wrote through an open file, or else opened it. */
export type Writing = Pick<Ticket, 'uid' | 'gid' | 'pid'>;

/** Of whom nothing is known: no user has this number (chown(2)). */
const nobody: Writing = { uid: 0xffff_ffff, gid: 0xffff_ffff, pid: 0 };

/** Who makes a request; undefined for the end of an open file (RELEASE), which comes from the kernel as if from root. */
export function writingOf({ opcode, uid, gid, pid }: Request): Writing | undefined {
  return opcode === Opcode.RELEASE ? undefined : { uid, gid, pid };
}

/**
 * Puts the answer to a request off that carries out what was written to an open file: in the name of who asks, at its end in that of who wrote.
 *
 * @param wrote undefined: that is not known.
 */
export function deferFor(request: Request, wrote: Writing | undefined): Ticket {
  return { ...request.defer(), ...(writingOf(request) ?? wrote ?? nobody) };
}
