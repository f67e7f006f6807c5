import type { GuestStatus } from '../../domain/ports/hypervisor.ts';
import type { DomainState } from './rpc/procedures.ts';

/** virDomainState, in the words of `virsh domstate`. */
const words = ['no state', 'running', 'idle', 'paused', 'in shutdown', 'shut off', 'crashed', 'pmsuspended'] as const;
const states = ['unknown', 'running', 'running', 'paused', 'running', 'exited', 'exited', 'paused'] as const;
const shutOff = 5;

/** virDomainShutoffReason: the guest itself ended. */
const endedItself = 1;

/** Exit status of a guest that ended otherwise than by itself: as of a process that was killed. */
const killed = 137;

/** True while there is a process that runs the guest. */
export function isActive({ state }: DomainState): boolean {
  return state > 0 && state < shutOff;
}

/**
 * What users see of a domain.
 *
 * @param begun whether it ever ran: one that did not is created, not exited.
 * @param exitCode of its main process, when that ended.
 */
export function guestStatusOf(domain: DomainState, begun: boolean, exitCode: number | undefined): GuestStatus {
  const word = words[domain.state] ?? 'no state';
  const state = states[domain.state] ?? 'unknown';
  if (state !== 'exited') return { state, word };
  if (!begun) return { state: 'created', word };
  return { state, word, exitCode: exitCode ?? (domain.state === shutOff && domain.reason === endedItself ? 0 : killed) };
}
