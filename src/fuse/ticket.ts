/**
 * A request whose answer comes later, perhaps from another thread: plain data that can be posted. Each ticket is answered once, by one Replier.
 * `uniqueHigh` may have its top bit set (a resent request); both halves are echoed as they are.
 */
export interface Ticket {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly opcode: number;
  readonly nodeid: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** True when a server on this connection read the request before, and perhaps carried it out (NOTIFY_RESEND). */
export function isResent(ticket: Ticket): boolean {
  return ticket.uniqueHigh >= 2 ** 31;
}

/** Names a request, also when the kernel sends it again. */
export function nameOf({ uniqueLow, uniqueHigh }: Pick<Ticket, 'uniqueLow' | 'uniqueHigh'>): string {
  return `${uniqueHigh & 0x7fffffff}.${uniqueLow}`;
}
