import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Terminal } from '../command.ts';
import { findMount } from '../mounts.ts';
import { paint } from '../terminal.ts';
import type { Step } from './step.ts';

const stepTimeoutMs = 20_000;

/** How the steps went. */
export interface StepsOutcome {
  /** All did what they claim. */
  readonly good: boolean;
  /** Of the mount they made; undefined when they made none. */
  readonly mountId: string | undefined;
}

/** Where the steps run, who watches, and who may end them early. */
export interface Stage {
  readonly directory: string;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Runs the steps until one fails or the signal aborts. */
export async function runSteps(steps: readonly Step[], stage: Stage): Promise<StepsOutcome> {
  const { directory, terminal } = stage;
  const mountpoint = join(directory, 'nfio');
  let mountId: string | undefined;
  await mkdir(mountpoint);
  for (const [index, step] of steps.entries()) {
    const number = paint(terminal.interactive, 'dim', `[${index + 1}/${steps.length}]`);
    terminal.out(`${number} ${paint(terminal.interactive, 'bold', step.title)}\n`);
    for (const line of promptedLines(step.shell)) terminal.out(`${paint(terminal.interactive, 'cyan', line)}\n`);
    const started = performance.now();
    const wrong = await runStep(step, stage);
    mountId ??= (await findMount(mountpoint))?.record?.mountId;
    if (wrong !== undefined) {
      terminal.out(`${paint(terminal.interactive, 'red', `✖ ${wrong}`)}\n`);
      return { good: false, mountId };
    }
    const took = paint(terminal.interactive, 'dim', `(${Math.round(performance.now() - started)} ms)`);
    terminal.out(`${paint(terminal.interactive, 'green', '✔')} ${took}\n\n`);
  }
  return { good: true, mountId };
}

/** The lines as a shell shows them: after $, and those of a here-document after >. */
function promptedLines(shell: string): readonly string[] {
  let end: string | undefined;
  return shell.split('\n').map((line) => {
    const prompt = end === undefined ? '$' : '>';
    if (end === undefined) end = /<<'(\w+)'/.exec(line)?.[1];
    else if (line === end) end = undefined;
    return `${prompt} ${line}`;
  });
}

async function runStep(step: Step, stage: Stage): Promise<string | undefined> {
  const { output, exitCode } = await runShell(step, stage);
  if (stage.signal.aborted) return 'interrupted';
  if (exitCode !== 0) return `the shell's exit status is ${exitCode ?? `none: it took more than ${stepTimeoutMs / 1000} s`}`;
  return step.check(output);
}

interface ShellResult {
  readonly output: string;
  readonly exitCode: number | null;
}

/** Runs a step's shell, showing its output as it comes. */
function runShell(step: Step, { directory, terminal, signal }: Stage): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', step.shell], {
      cwd: step.place === 'inside' ? join(directory, 'nfio') : directory,
      env: shellEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: stepTimeoutMs,
      killSignal: 'SIGKILL',
      signal,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        terminal.out(text);
      });
    }
    // An abort is reported as an error and then by the end of the child, which is what counts.
    child.on('error', (error) => {
      if (error.name !== 'AbortError') reject(error);
    });
    child.on('close', (exitCode) => resolve({ output, exitCode }));
  });
}

/** The shell finds this nfio, and this nfio its Node.js, whatever else is on the PATH. */
function shellEnvironment(): NodeJS.ProcessEnv {
  const bin = join(import.meta.dirname, '..', '..', '..', 'bin');
  return { ...process.env, LC_ALL: 'C', NFIO_NODE: process.execPath, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
}
