import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecuteOptions, ExecuteResult, GuestCommand } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { GuestAgent, isAgentMissing, noAgent } from './agent.ts';
import { executeByAgent } from './execute.ts';
import type { Guest } from './guest.ts';
import { type RunInGuest, setUpIdentity, setUpPorts, startMainProcess } from './guest-setup.ts';

const pauseMs = 200;
/** How long an agent that came back may take until it answers: its first words after a start may get lost. */
const returnMs = 15_000;
/** How long setting a guest up may take, once its agent answers. */
const setUpTimeoutMs = 60_000;

/**
 * Runs a command in a guest, by its agent, once that has set the guest up.
 *
 * @throws UnsupportedError (EOPNOTSUPP) with the remedy when no agent answers in time.
 */
export async function executeIn(guest: Guest, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
  const { signal } = options;
  await setUp(guest, signal);
  const run = runner(guest, signal);
  const { spec } = guest.record;
  if (spec !== undefined) await guest.config.update(spec.configDir, run, signal);
  try {
    return await executeByAgent(agentOf(guest), guest.ref.name, command, options);
  } catch (error) {
    throw isAgentMissing(error) ? noAgent(guest.ref.name, error) : error;
  }
}

/** A way to run commands in a guest that is set up, or being so. */
export function runner(guest: Guest, signal: AbortSignal): RunInGuest {
  return (command) => executeByAgent(agentOf(guest), guest.ref.name, command, { signal });
}

/** Waits until the agent of a guest answers and has set it up. Done once each time the guest boots. */
export async function setUp(guest: Guest, signal: AbortSignal): Promise<void> {
  guest.ready ??= setUpByAgent(guest).catch((error: unknown) => {
    guest.ready = undefined;
    throw error;
  });
  await abortable(guest.ready, signal);
}

/** Forgets what was done in a guest that boots again by itself. */
export function forgetSetUp(guest: Guest): void {
  guest.ready = undefined;
  guest.config.forget();
}

async function setUpByAgent(guest: Guest): Promise<void> {
  const signal = AbortSignal.timeout(2 * guest.agentTimeoutMs + setUpTimeoutMs);
  await waitForAgent(guest, signal);
  const { spec } = guest.record;
  if (spec === undefined) return;
  const run = runner(guest, signal);
  guest.config.forget();
  await setUpIdentity(run, spec);
  await setUpPorts(run, spec.ports);
  await guest.config.update(spec.configDir, run, signal);
  await startMainProcess(run, spec);
}

async function waitForAgent(guest: Guest, signal: AbortSignal): Promise<void> {
  const agent = agentOf(guest);
  const grace = guest.wentAway ? returnMs : 0;
  const end = Math.max(performance.now() + grace, guest.startedMs + guest.agentTimeoutMs);
  while (!(await agent.answers(signal))) {
    if (!guest.isActive)
      throw new NfioError('VNFNotRunningError', {
        message: `${guest.ref.name} ended while it booted. See: tail nf-types/${guest.ref.type}/${guest.ref.name}/log`,
      });
    if (performance.now() > end) throw noAgent(guest.ref.name);
    await sleep(pauseMs, undefined, { signal });
  }
}

function agentOf(guest: Guest): GuestAgent {
  return new GuestAgent(guest.link, guest.domain, guest.ref.name);
}

/** Stops waiting, not what is waited for. */
async function abortable(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new NfioError('InterruptedError', { cause: signal.reason });
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(new NfioError('InterruptedError', { cause: signal.reason }));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
