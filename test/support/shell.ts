import { spawn } from 'node:child_process';
import { patient } from './patience.ts';

/** How to run a script. */
export interface ShellOptions {
  readonly cwd?: string;
  /** Then it is killed, with all it started, on a quiet machine. Default 20 s. */
  readonly timeoutMs?: number;
  /** Run as this user and group. Default: as the test, root. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** How it ended. */
export interface ShellResult {
  /** Exit status; 128 + n for signal n; `timeout` when it took too long. */
  readonly status: number | 'timeout';
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script by bash, in a process group of its own, and reads what it prints. */
export function shell(script: string, options: ShellOptions = {}): Promise<ShellResult> {
  const { cwd = '/', timeoutMs = 20_000, uid, env = {} } = options;
  const owner = uid === undefined ? {} : { uid, gid: uid };
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = spawn('bash', ['-c', script], {
      cwd,
      detached: true,
      stdio: [...stdio],
      env: { ...process.env, LC_ALL: 'C', ...env },
      ...owner,
    });
    const printed = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed.stderr += text;
    });
    const timer = setTimeout(() => {
      killGroup(child.pid);
      resolve({ status: 'timeout', ...printed });
    }, patient(timeoutMs));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status: status ?? (signal === null ? 255 : 128), ...printed });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
