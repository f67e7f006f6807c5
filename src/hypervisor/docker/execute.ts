import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecuteOptions, ExecuteResult, GuestCommand } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { endCommand, marker } from './end-command.ts';
import { Demultiplexer, type Engine, EngineAnswerError, type Hijacked } from './engine/index.ts';
import { KeptOutput } from './kept-output.ts';

/** After the end of a command its output has ended when nothing came for so long, and at the latest then. */
const quietMs = 200;
const drainTimeoutMs = 2000;
const firstAskMs = 200;
const longestAskMs = 1000;

/** The container to run in. */
export interface ExecuteTarget {
  readonly engine: Engine;
  readonly containerId: string;
  readonly name: string;
  /** True when the guest's processes are this machine's. */
  readonly local: boolean;
}

/** What `GET /exec/ID/json` tells, as far as it is read. */
export interface ExecState {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  /** In the engine's pid namespace; 0 when it was never started. */
  readonly Pid: number;
}

/**
 * Runs a program in a guest by the engine, to its end. An abort ends it, and what it started in its session.
 *
 * @throws InterruptedError when aborted, VNFCommandExecutionError (ENOENT) when a shell was asked for and the image has none.
 */
export async function executeInGuest(target: ExecuteTarget, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
  const { engine, containerId } = target;
  if (command.argv.length === 0)
    throw new NfioError('VNFCommandExecutionError', { errno: 'EINVAL', message: 'there is no command to run' });
  const mark = randomBytes(8).toString('hex');
  const env = { ...command.env, ...(target.local ? {} : { [marker]: mark }) };
  const body = {
    AttachStdin: command.stdin !== undefined,
    AttachStdout: true,
    AttachStderr: true,
    Cmd: command.argv,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
  };
  const made = await engine.json<{ readonly Id: string }>(
    { method: 'POST', path: `/containers/${containerId}/exec`, body },
    options.signal,
  );
  const running = { id: made.Id, mark, target };
  const kept = { stdout: new KeptOutput(), stderr: new KeptOutput() };
  const take = options.onOutput ?? ((chunk, stream) => kept[stream].add(chunk));
  const hijacked = await start(running, options.signal);
  await converse(hijacked, { stdin: command.stdin, take, running, signal: options.signal });
  const state = await inspect(running, AbortSignal.timeout(30_000));
  const exitCode = state.Pid === 0 ? await whyNotStarted(running, command.argv) : (state.ExitCode ?? 0);
  return { exitCode, stdout: kept.stdout.text(), stderr: kept.stderr.text() };
}

interface RunningCommand {
  readonly id: string;
  readonly mark: string;
  readonly target: ExecuteTarget;
}

async function start(running: RunningCommand, signal: AbortSignal): Promise<Hijacked> {
  const { engine } = running.target;
  try {
    return await engine.hijack({ method: 'POST', path: `/exec/${running.id}/start`, body: { Detach: false, Tty: false } }, signal);
  } catch (error) {
    if (signal.aborted) await end(running);
    throw error;
  }
}

function inspect({ id, target }: RunningCommand, signal: AbortSignal): Promise<ExecState> {
  return target.engine.json<ExecState>({ method: 'GET', path: `/exec/${id}/json` }, signal);
}

async function end(running: RunningCommand): Promise<void> {
  const { target, mark } = running;
  await endCommand(target, { mark, inspect: (signal) => inspect(running, signal) }).catch(() => undefined);
}

interface Conversation {
  readonly stdin: string | Uint8Array | undefined;
  readonly take: NonNullable<ExecuteOptions['onOutput']>;
  readonly running: RunningCommand;
  readonly signal: AbortSignal;
}

/** Gives the command its input and takes its output, until it has ended. What it left in the background may hold the output open: that is not waited for. */
async function converse({ connection, head }: Hijacked, { stdin, take, running, signal }: Conversation): Promise<void> {
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
  void hasEnded(running, watching.signal).then((ended) => {
    if (!ended) return;
    latest = performance.now() + drainTimeoutMs;
    quiet = setTimeout(over.resolve, quietMs);
  });
  try {
    signal.addEventListener('abort', abort, { once: true });
    connection.on('error', over.reject).on('end', over.resolve).on('close', over.resolve);
    read(head);
    connection.on('data', (chunk: Uint8Array) => guarded(() => read(chunk), over.reject));
    if (stdin !== undefined) connection.end(stdin);
    if (signal.aborted) abort();
    await over.promise;
  } catch (error) {
    if (signal.aborted) await end(running);
    throw error;
  } finally {
    watching.abort();
    clearTimeout(quiet);
    signal.removeEventListener('abort', abort);
    letGo(connection);
  }
}

/** Asks, ever less often, whether a command has ended though its output has not: true when it has, false when nobody wants to know any more. */
async function hasEnded(running: RunningCommand, signal: AbortSignal): Promise<boolean> {
  try {
    for (let pauseMs = firstAskMs; ; pauseMs = Math.min(pauseMs * 2, longestAskMs)) {
      await sleep(pauseMs, undefined, { signal });
      const { Running: runs, ExitCode: code } = await inspect(running, signal);
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

/** The exit status a shell would give a program that cannot be started: 126 when it is there, else 127. */
async function whyNotStarted({ target }: RunningCommand, argv: readonly string[]): Promise<number> {
  const [program = ''] = argv;
  const isThere = program.startsWith('/') && (await hasFile(target, program));
  if (!isThere && ['sh', '/bin/sh', 'bash', '/bin/bash'].includes(program)) {
    throw new NfioError('VNFCommandExecutionError', {
      errno: 'ENOENT',
      message: `the image of ${target.name} has no ${program}: commands need an image with a shell`,
    });
  }
  return isThere ? 126 : 127;
}

async function hasFile({ engine, containerId }: ExecuteTarget, path: string): Promise<boolean> {
  try {
    await engine.json({ method: 'HEAD', path: `/containers/${containerId}/archive`, query: { path } }, AbortSignal.timeout(30_000));
    return true;
  } catch (error) {
    if (error instanceof EngineAnswerError) return false;
    throw error;
  }
}
