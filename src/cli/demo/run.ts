import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Terminal } from '../command.ts';
import { findMount } from '../mounts.ts';
import { paint } from '../terminal.ts';
import type { Step } from './step.ts';

const stepTimeoutMs = 10_000;

/** How the steps went. */
export interface StepsOutcome {
  /** All did what they claim. */
  readonly good: boolean;
  /** Of the mount they made; undefined when they made none. */
  readonly mountId: string | undefined;
}

/** Runs the steps in a directory until one fails. */
export async function runSteps(steps: readonly Step[], directory: string, terminal: Terminal): Promise<StepsOutcome> {
  const mountpoint = join(directory, 'nfio');
  let mountId: string | undefined;
  await mkdir(mountpoint);
  for (const [index, step] of steps.entries()) {
    const number = paint(terminal.interactive, 'dim', `[${index + 1}/${steps.length}]`);
    terminal.out(`${number} ${paint(terminal.interactive, 'bold', step.title)}\n`);
    for (const line of step.shell.split('\n')) terminal.out(`${paint(terminal.interactive, 'cyan', `$ ${line}`)}\n`);
    const started = performance.now();
    const wrong = await runStep(step, directory, terminal);
    mountId ??= (await findMount(mountpoint))?.mountId;
    if (wrong !== undefined) {
      terminal.out(`${paint(terminal.interactive, 'red', `✖ ${wrong}`)}\n`);
      return { good: false, mountId };
    }
    const took = paint(terminal.interactive, 'dim', `(${Math.round(performance.now() - started)} ms)`);
    terminal.out(`${paint(terminal.interactive, 'green', '✔')} ${took}\n\n`);
  }
  return { good: true, mountId };
}

async function runStep(step: Step, directory: string, terminal: Terminal): Promise<string | undefined> {
  const { output, exitCode } = await runShell(step, directory, (text) => terminal.out(text));
  if (exitCode !== 0) return `the shell's exit status is ${exitCode ?? `none: it took more than ${stepTimeoutMs / 1000} s`}`;
  return step.check(output);
}

interface ShellResult {
  readonly output: string;
  readonly exitCode: number | null;
}

/** Runs a step's shell, showing its output as it comes. */
function runShell(step: Step, directory: string, show: (text: string) => void): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', step.shell], {
      cwd: step.place === 'inside' ? join(directory, 'nfio') : directory,
      env: shellEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: stepTimeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        show(text);
      });
    }
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ output, exitCode }));
  });
}

/** The shell finds this nfio, and this nfio its Node.js, whatever else is on the PATH. */
function shellEnvironment(): NodeJS.ProcessEnv {
  const bin = join(import.meta.dirname, '..', '..', '..', 'bin');
  return { ...process.env, LC_ALL: 'C', NFIO_NODE: process.execPath, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
}
