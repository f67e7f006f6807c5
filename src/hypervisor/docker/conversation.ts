import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecuteOptions, ProgramInput } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { feed } from '../../network/index.ts';
import { Demultiplexer, type Hijacked } from './engine/index.ts';

/** After the end of a command its output has ended when nothing came for so long, and at the latest then. */
const quietMs = 200;
const drainTimeoutMs = 2000;
const firstAskMs = 200;
const longestAskMs = 1000;

/** What `GET /exec/ID/json` tells, as far as it is read. */
export interface ExecState {
  readonly Running: boolean;
  /** null until it has ended. */
  readonly ExitCode: number | null;
  /** In the engine's pid namespace; 0 when it was never started. */
  readonly Pid: number;
}

/** What is said, and who is told what is answered. */
export interface Conversation {
  readonly stdin: ProgramInput | undefined;
  readonly take: NonNullable<ExecuteOptions['onOutput']>;
  /** Asks how the command does. */
  readonly inspect: (signal: AbortSignal) => Promise<ExecState>;
  readonly signal: AbortSignal;
}

/**
 * Gives a command its input and takes its output, until it has ended. What it left in the background may hold the output open: that is not waited for.
 *
 * @throws InterruptedError when aborted, and what the connection fails with.
 */
export async function converse({ connection, head }: Hijacked, { stdin, take, inspect, signal }: Conversation): Promise<void> {
  const frames = new Demultiplexer();
  const over = Promise.withResolvers<void>();
  let quiet: NodeJS.Timeout | undefined;
  let latest = 0;
  const read = (chunk: Uint8Array): void => {
    for (const { stream, bytes } of frames.take(chunk)) take(bytes, stream);
    if (quiet !== undefined && performance.now() < latest) quiet.refresh();
  };
  const abort = (): void => over.reject(new NfioError('InterruptedError', { cause: signal.reason }));
  const watching = new AbortController();
  void hasEnded(inspect, watching.signal).then((ended) => {
    if (!ended) return;
    latest = performance.now() + drainTimeoutMs;
    quiet = setTimeout(over.resolve, quietMs);
  });
  try {
    signal.addEventListener('abort', abort, { once: true });
    connection.on('error', over.reject).on('end', over.resolve).on('close', over.resolve);
    read(head);
    connection.on('data', (chunk: Uint8Array) => guarded(() => read(chunk), over.reject));
    if (stdin !== undefined) feed(connection, stdin);
    if (signal.aborted) abort();
    await over.promise;
  } finally {
    watching.abort();
    clearTimeout(quiet);
    signal.removeEventListener('abort', abort);
    letGo(connection);
  }
}

/** Asks, ever less often, whether a command has ended though its output has not: true when it has, false when nobody wants to know any more. */
async function hasEnded(inspect: Conversation['inspect'], signal: AbortSignal): Promise<boolean> {
  try {
    for (let pauseMs = firstAskMs; ; pauseMs = Math.min(pauseMs * 2, longestAskMs)) {
      await sleep(pauseMs, undefined, { signal });
      const { Running: runs, ExitCode: code } = await inspect(signal);
      if (!runs && code !== null) return true;
    }
  } catch {
    return false; // the connection tells what is wrong with the engine
  }
}

function guarded(task: () => void, failed: (error: unknown) => void): void {
  try {
    task();
  } catch (error) {
    failed(error);
  }
}

function letGo(connection: Duplex): void {
  connection.removeAllListeners();
  connection.on('error', () => undefined);
  connection.destroy();
}
