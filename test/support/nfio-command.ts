import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { patient } from './patience.ts';

/** How a run of bin/nfio ended. */
export interface CommandResult {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command of this checkout. */
export const nfioPath = join(import.meta.dirname, '..', '..', 'bin', 'nfio');

/** Runs the nfio of this checkout as a user would, in a process of its own. It is killed after 30 s. */
export function nfio(...argv: readonly string[]): Promise<CommandResult> {
  return nfioWithin(30_000, ...argv);
}

/** The same, with another time limit, milliseconds. */
export function nfioWithin(timeoutMs: number, ...argv: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [nfioPath, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: patient(timeoutMs),
      killSignal: 'SIGKILL',
    });
    const written = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      written.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      written.err += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...written }));
  });
}
