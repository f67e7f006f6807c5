import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { machine } from 'node:os';
import { fileURLToPath } from 'node:url';
import { limitedProgram } from '../../domain/limited-program.ts';
import type { ExecuteOptions, ExecuteResult, GuestCommand, Inheritance } from '../../domain/ports/hypervisor.ts';
import { unlessAbsent } from '../../errors/index.ts';
import { type ProcessId, type RunOptions, runProgram } from '../../network/index.ts';
import { noCommand } from '../refusals.ts';
import { searchPath } from '../search-path.ts';
import type { GuestRecord } from './guest-records.ts';
import { restrictionWords } from './restriction.ts';

const relayPath = fileURLToPath(new URL('command-relay.pl', import.meta.url));
const entryPath = fileURLToPath(new URL('guest-entry.pl', import.meta.url));

/** Joins the cgroup files named by the first argument, goes before the server when memory runs out (src/daemon/stay-alive.ts), and becomes the command that follows. */
const joinScript = `
set -f
read -r score </proc/self/oom_score_adj && score=$((score + 300 > 0 ? score + 300 : 0)) && echo $score >/proc/self/oom_score_adj
for procs in $1; do echo 0 >"$procs" || exit 125; done
shift
exec "$@"
`;

/** The guest to run in. */
export interface ExecuteTarget {
  readonly process: ProcessId;
  readonly name: string;
  readonly record: GuestRecord;
  readonly cgroupFiles: readonly string[];
}

/**
 * Runs a program in a guest: its namespaces, root, limits, capabilities and system calls. nsenter and guest-entry.pl are loaded from the machine's
 * own root, and guest-entry.pl, still more capable than the guest and so out of its reach, gives up what the guest must not have and enters the
 * guest's root in one life: no program of the guest's is loaded before.
 */
export function executeInGuest(target: ExecuteTarget, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
  const { pid } = target.process;
  const environment = Object.entries({ PATH: searchPath, HOME: '/root', HOSTNAME: target.name, TERM: 'dumb', ...command.env });
  const argv = [
    ...(command.heir === undefined ? [] : ['perl', relayPath, command.heir]),
    ...['sh', '-c', joinScript, 'sh', target.cgroupFiles.join(' ')],
    ...['nsenter', '--target', String(pid), ...userNamespace(pid), '--mount', '--net', '--pid', '--uts', '--ipc', '--root=/'],
    ...[`--wd=/proc/${pid}/root`, '--', 'perl', entryPath, machine(), ...restrictionWords(target.record)],
    ...['/usr/bin/env', '--ignore-environment'],
    ...environment.map(([name, value]) => `${name}=${value}`),
    ...command.argv,
  ];
  // How long a guest's own program may take is for who asked for it to say.
  return run(argv, command, { ...options, timeoutMs: Number.POSITIVE_INFINITY }, {});
}

/** As nsenter takes it, which enters none that it is in already: that of a guest which root gave more powers, or an earlier nf.io started. */
function userNamespace(pid: number): string[] {
  return readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user') ? [] : ['--user'];
}

/** See HypervisorDriver.lastPrinted. */
export function lastPrinted(heir: string): Inheritance | undefined {
  const ended = !isRelayed(heir); // asked before the files, which grow until then
  const output = unlessAbsent(() => readFileSync(heir));
  if (output === undefined && ended) return undefined;
  const state = unlessAbsent(() => readFileSync(`${heir}.state`, 'latin1')) ?? '';
  const [, given] = /^given (\d+)\n/m.exec(state) ?? [];
  const [, exitCode] = /^ended (\d+)\n/m.exec(state) ?? [];
  return {
    output: output ?? new Uint8Array(),
    givenBytes: given === undefined ? undefined : Number(given),
    exitCode: exitCode === undefined ? undefined : Number(exitCode),
    ended,
  };
}

/** True while a relay works for a file. */
function isRelayed(heir: string): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.some((pid) =>
    unlessAbsent(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1'))?.startsWith(`perl\0${relayPath}\0${heir}\0`),
  );
}

/** Runs one of the machine's own programs in a guest's network namespace, with power over nothing else: it reads what users wrote. */
export function executeInNetwork(target: ProcessId, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
  const argv = ['nsenter', '--target', String(target.pid), '--net', '--', ...limitedProgram(command.argv)];
  return run(argv, command, options, command.env ?? {});
}

function run(
  argv: readonly string[],
  command: GuestCommand,
  options: ExecuteOptions & Pick<RunOptions, 'timeoutMs'>,
  env: Readonly<Record<string, string>>,
): Promise<ExecuteResult> {
  if (command.argv.length === 0) throw noCommand();
  return runProgram(argv as [string, ...string[]], {
    signal: options.signal,
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    env: { PATH: searchPath, ...env },
    ...(command.stdin === undefined ? {} : { input: command.stdin }),
    ...(options.onOutput === undefined ? {} : { onOutput: options.onOutput }),
  });
}
