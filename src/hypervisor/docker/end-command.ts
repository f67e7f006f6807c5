import { setTimeout as sleep } from 'node:timers/promises';
import { findProcess, killTree, waitUntilGone } from '../../network/index.ts';
import { isInContainer } from './counters.ts';
import type { Engine } from './engine/index.ts';

/** The variable by which the processes of one command are found where the engine's processes are not ours to see. */
export const marker = 'NFIO_COMMAND';

/** Which command to end. */
export interface CommandToEnd {
  /** Value of its marker. */
  readonly mark: string;
  readonly inspect: (signal: AbortSignal) => Promise<{ readonly Running: boolean; readonly Pid: number }>;
}

const startTimeoutMs = 3000;
const endTimeoutMs = 2000;

/** Ends every process whose environment has the marker; run twice, for one that was being made. */
const script = `
for round in 1 2; do
  for process in /proc/[0-9]*; do
    if grep -q "$1" "$process/environ" 2>/dev/null; then kill -KILL "\${process#/proc/}"; fi
  done
done 2>/dev/null`;

/** Ends a command in a guest, and what it started: on this machine as its descendants, elsewhere from within the guest. */
export async function endCommand(
  guest: { readonly engine: Engine; readonly containerId: string; readonly local: boolean },
  command: CommandToEnd,
): Promise<void> {
  const signal = AbortSignal.timeout(startTimeoutMs + endTimeoutMs);
  const deadline = performance.now() + startTimeoutMs;
  let state = await command.inspect(signal);
  // It may be about to start.
  while (state.Pid === 0 && performance.now() < deadline) {
    await sleep(50);
    state = await command.inspect(signal);
  }
  if (state.Pid === 0 || !state.Running) return;
  if (guest.local) await endHere(state.Pid, guest.containerId);
  else await endThere(guest, command.mark, signal);
}

async function endHere(pid: number, containerId: string): Promise<void> {
  const found = findProcess(pid);
  if (found === undefined || !isInContainer(pid, containerId)) return;
  killTree(pid);
  await waitUntilGone(found, endTimeoutMs);
}

async function endThere(
  { engine, containerId }: { readonly engine: Engine; readonly containerId: string },
  mark: string,
  signal: AbortSignal,
): Promise<void> {
  const body = { Cmd: ['/bin/sh', '-c', script, 'sh', `${marker}=${mark}`], AttachStdout: false, AttachStderr: false };
  const { Id } = await engine.json<{ readonly Id: string }>({ method: 'POST', path: `/containers/${containerId}/exec`, body }, signal);
  await engine.json({ method: 'POST', path: `/exec/${Id}/start`, body: { Detach: true, Tty: false } }, signal);
}
