import { randomBytes } from 'node:crypto';
import type { ExecuteOptions, ExecuteResult, GuestCommand } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { KeptOutput } from '../../network/index.ts';
import { noCommand } from '../refusals.ts';
import { type Conversation, converse, type ExecState } from './conversation.ts';
import { endCommand, marker } from './end-command.ts';
import { type Engine, EngineAnswerError } from './engine/index.ts';

/** The container to run in. */
export interface ExecuteTarget {
  readonly engine: Engine;
  readonly containerId: string;
  readonly name: string;
  /** True when the guest's processes are this machine's. */
  readonly local: boolean;
}

/**
 * Runs a program in a guest by the engine, to its end. An abort ends it, and what it started in its session.
 *
 * @throws InterruptedError when aborted, VNFCommandExecutionError (ENOENT) when a shell was asked for and the image has none.
 */
export async function executeInGuest(target: ExecuteTarget, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
  const { engine, containerId } = target;
  if (command.argv.length === 0) throw noCommand();
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
  await run(running, { stdin: command.stdin, take, signal: options.signal });
  const state = await inspect(running, AbortSignal.timeout(30_000));
  const exitCode = state.Pid === 0 ? await whyNotStarted(running, command.argv) : (state.ExitCode ?? 0);
  return { exitCode, stdout: kept.stdout.text(), stderr: kept.stderr.text() };
}

interface RunningCommand {
  readonly id: string;
  readonly mark: string;
  readonly target: ExecuteTarget;
}

async function run(running: RunningCommand, { stdin, take, signal }: Omit<Conversation, 'inspect'>): Promise<void> {
  const { engine } = running.target;
  const request = { method: 'POST', path: `/exec/${running.id}/start`, body: { Detach: false, Tty: false } } as const;
  try {
    const hijacked = await engine.hijack(request, signal);
    await converse(hijacked, { stdin, take, inspect: (asking) => inspect(running, asking), signal });
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
