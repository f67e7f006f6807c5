import { readFileSync } from 'node:fs';
import type { GuestLimits } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import type { EngineStatistics } from './counters.ts';
import { EngineAnswerError } from './engine/index.ts';
import type { Guest } from './guest.ts';
import { containerLimits } from './limits.ts';

/**
 * Gives a container other limits, running or not.
 *
 * @throws InvalidValueError (EINVAL) for what no guest can live with, BusyError (EBUSY) when it uses more memory than it may from now on.
 */
export async function setContainerLimits(guest: Guest, limits: GuestLimits, signal: AbortSignal): Promise<void> {
  const body = containerLimits(limits, guest.link.local);
  const key = JSON.stringify(body);
  if (key === guest.limits) return;
  const { engine } = guest.link;
  if (limits.memoryBytes !== undefined && (await memoryInUse(guest, signal)) > body.Memory) throw inUse(undefined);
  try {
    await engine.json({ method: 'POST', path: `/containers/${guest.containerId}/update`, body }, signal);
  } catch (cause) {
    // The kernel refuses a limit below what cannot be freed.
    if (cause instanceof EngineAnswerError && cause.status === 500 && guest.runs && limits.memoryBytes !== undefined) throw inUse(cause);
    throw cause;
  }
  guest.remember({ limits: key });
}

/** Bytes that a guest holds; what the kernel only keeps of its files is not counted. */
async function memoryInUse(guest: Guest, signal: AbortSignal): Promise<number> {
  if (!guest.runs) return 0;
  const path = guest.counters?.memoryPath;
  if (path === undefined) {
    const query = { stream: false, 'one-shot': true };
    const answer = await guest.link.engine.json<EngineStatistics>(
      { method: 'GET', path: `/containers/${guest.containerId}/stats`, query },
      signal,
    );
    return (answer.memory_stats?.usage ?? 0) - (answer.memory_stats?.stats?.['inactive_file'] ?? 0);
  }
  const files = /^inactive_file (\d+)$/m.exec(readFileSync(path.replace(/[^/]+$/, 'memory.stat'), 'utf8'))?.[1] ?? '0';
  return Number(readFileSync(path, 'utf8')) - Number(files);
}

function inUse(cause: unknown): NfioError {
  return new NfioError('BusyError', {
    message: 'the guest uses more memory than that now: stop it first, or choose a larger limit',
    cause,
  });
}
