import { runProgram } from '../network/index.ts';

/** Directories of users may be on another machine, milliseconds. */
const timeoutMs = 10_000;

/** The number of a user of this machine, by name, wherever users are kept (nsswitch.conf(5)); undefined: there is none. */
export async function userNumber(name: string): Promise<number | undefined> {
  const { exitCode, stdout } = await runProgram(['id', '-u', '--', name], { signal: new AbortController().signal, timeoutMs });
  return exitCode === 0 ? Number(stdout) : undefined;
}
