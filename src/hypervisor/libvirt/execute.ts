import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecuteOptions, ExecuteResult, GuestCommand } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { noCommand } from '../refusals.ts';
import { searchPath } from '../search-path.ts';
import { type AgentExec, chunkBytes, guestDirectory as directory, type GuestAgent, putFile } from './agent.ts';
import { GrowingInput, isWhole } from './growing-input.ts';
import { isLibvirtError } from './rpc/libvirt-error.ts';

/** What each output keeps at most when nobody takes it as it comes. Bytes. */
const maxKeptBytes = 1024 * 1024;
/** Most input that one message to the agent carries; more goes through a file. Bytes. */
const maxInlineBytes = 2 * 1024 * 1024;
const firstPauseMs = 10;
const longestPauseMs = 250;
/** How often, and for how long each time, a command that is not wanted any more is ended: the virtual machine may be busy. Milliseconds. */
const endTries = 3;
const endTryMs = 20_000;

/**
 * Runs the command with its outputs in files: what it leaves in the background then holds up nobody. It is no more protected from a lack of
 * memory than others, though the agent may be. Arguments: prefix of the files,
 * file with the input or nothing, bytes to print of each output or nothing, the command.
 */
const script = `
at=$1; input=$2; keep=$3; shift 3
mask=$(umask); umask 077
[ -d ${directory} ] || mkdir -p ${directory}
: >"$at.out" >"$at.err"
umask "$mask"
{ echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
if [ -n "$input" ]; then "$@" <"$input" >"$at.out" 2>"$at.err"; else "$@" >"$at.out" 2>"$at.err"; fi
status=$?
[ -n "$keep" ] || exit $status
[ ! -s "$at.out" ] || head -c "$keep" "$at.out"
[ ! -s "$at.err" ] || head -c "$keep" "$at.err" >&2
rm -f "$at".*
exit $status`;

let lastNumber = 0;

/** Runs a program in a guest by its agent. @throws InterruptedError when aborted: the program is ended then, or the message says that it may not be. */
export async function executeByAgent(
  agent: GuestAgent,
  name: string,
  command: GuestCommand,
  options: ExecuteOptions,
): Promise<ExecuteResult> {
  if (command.argv.length === 0) throw noCommand();
  const at = `${directory}/${process.pid}-${++lastNumber}`;
  const { signal } = options;
  const growing = command.stdin === undefined || isWhole(command.stdin) ? undefined : new GrowingInput(agent, at, command.stdin);
  await growing?.make(signal);
  const input = command.stdin === undefined || !isWhole(command.stdin) ? undefined : Buffer.from(command.stdin);
  const large = input !== undefined && input.length > maxInlineBytes;
  if (large) await putFile(agent, `${at}.in`, input, signal);
  const streamed = options.onOutput !== undefined;
  const keep = streamed ? '' : String(maxKeptBytes);
  const arg = ['/bin/sh', '-c', script, 'sh', at, large ? `${at}.in` : '', keep, ...(growing?.reader ?? []), ...command.argv];
  const env = Object.entries({ PATH: searchPath, HOME: '/root', HOSTNAME: name, TERM: 'dumb', ...command.env }).map(
    ([key, value]) => `${key}=${value}`,
  );
  const inline = large ? {} : { input: input ?? new Uint8Array() };
  if (signal.aborted) throw new NfioError('InterruptedError', { cause: signal.reason });
  // To its end, also when it is not wanted any more: what has no number cannot be ended.
  const pid = await agent.start({ path: 'setsid', arg, env, capture: !streamed, ...inline }, new AbortController().signal);
  const over = new AbortController();
  try {
    const running = streamed ? stream(agent, pid, at, options) : agent.wait(pid, signal);
    const ended = await (growing === undefined ? running : Promise.race([running, growing.feed(AbortSignal.any([signal, over.signal]))]));
    return { exitCode: exitCodeOf(ended), stdout: text(ended['out-data']), stderr: text(ended['err-data']) };
  } catch (error) {
    if (signal.aborted) {
      const ended = await endCommand(agent, pid, at);
      const message = `it may still run in ${name}, whose guest agent did not answer`;
      throw new NfioError('InterruptedError', { ...(ended ? {} : { message }), cause: signal.reason });
    }
    if (growing !== undefined) await endCommand(agent, pid, at);
    throw error;
  } finally {
    over.abort();
  }
}

/** Hands on what a command prints while it runs. */
async function stream(agent: GuestAgent, pid: number, at: string, options: ExecuteOptions): Promise<AgentExec> {
  const { signal, onOutput } = options;
  const outputs = [new GuestOutput(agent, `${at}.out`), new GuestOutput(agent, `${at}.err`)] as const;
  const drain = async (): Promise<boolean> => {
    const out = await outputs[0].next(signal);
    const err = await outputs[1].next(signal);
    if (out.length > 0) onOutput?.(out, 'stdout');
    if (err.length > 0) onOutput?.(err, 'stderr');
    return out.length > 0 || err.length > 0;
  };
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const status = await agent.status(pid, signal);
    if (await drain()) pauseMs = firstPauseMs;
    if (status.exited) {
      while (await drain());
      for (const output of outputs) await output.close(signal);
      await agent.start(
        {
          path: 'rm',
          arg: ['-f', ...['out', 'err', 'in', 'pipe', 'tail'].map((end) => `${at}.${end}`)],
          env: [`PATH=${searchPath}`],
          capture: false,
        },
        signal,
      );
      return status;
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

/** A file in the guest that grows. */
class GuestOutput {
  readonly #agent: GuestAgent;
  readonly #path: string;
  #handle: number | undefined;

  constructor(agent: GuestAgent, path: string) {
    this.#agent = agent;
    this.#path = path;
  }

  /** What was added to it since. */
  async next(signal: AbortSignal): Promise<Buffer> {
    this.#handle ??= await this.#agent.open(this.#path, 'r', signal).catch(() => undefined); // it is not there yet
    return this.#handle === undefined ? Buffer.alloc(0) : await this.#agent.read(this.#handle, chunkBytes, signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#handle !== undefined) await this.#agent.close(this.#handle, signal);
  }
}

/** Ends all processes of a session (field 6 of proc_pid_stat(5)), whatever their process groups; run twice, for one that was being made. Arguments: the session, prefix of files. */
const endScript = `
session=$1; at=$2
for round in 1 2; do
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    set -f; set -- \${line##*) }; set +f
    pid=\${stat#/proc/}
    [ "$4" != "$session" ] || kill -s KILL "\${pid%/stat}" 2>/dev/null
  done
done
rm -f "$at".*`;

/** Ends a command and all it started that stayed in its session. False when that could not be done. */
async function endCommand(agent: GuestAgent, pid: number, at: string): Promise<boolean> {
  const arg = ['-c', endScript, 'sh', String(pid), at];
  for (let tries = 0; tries < endTries; tries++) {
    const signal = AbortSignal.timeout(endTryMs);
    try {
      await agent.wait(await agent.start({ path: 'sh', arg, env: [`PATH=${searchPath}`], capture: false }, signal), signal);
      return true;
    } catch (error) {
      if (isLibvirtError(error, 'NO_DOMAIN', 'OPERATION_INVALID')) return true; // the whole guest has ended
    }
  }
  return false;
}

function exitCodeOf({ exitcode, signal }: AgentExec): number {
  return exitcode ?? 128 + (signal ?? constants.signals.SIGKILL);
}

function text(data: string | undefined): string {
  return Buffer.from(data ?? '', 'base64').toString();
}
