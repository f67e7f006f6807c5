import { basename, dirname } from 'node:path';
import { searchPath } from '../../hypervisor/search-path.ts';
import { type ProgramResult, runProgram } from '../run-program.ts';

/** What a probe found. */
export interface Finding {
  readonly ok: boolean;
  /** This user cannot find out. */
  readonly untried?: true;
  /** What is there, or what is wrong. */
  readonly detail: string;
  /** A command or a sentence that mends it. Only when not ok. */
  readonly remedy?: string;
}

/** Something nf.io needs of the machine, or can use. */
export interface Probe {
  readonly name: string;
  /** nf.io does not work without it. What is not needed is reported only. */
  readonly needed: boolean;
  /** Only root can try it. */
  readonly needsRoot?: true;
  /** Really tries it, and leaves nothing behind. Never rejects. */
  run(context: ProbeContext): Promise<Finding>;
}

/** What probes are told. */
export interface ProbeContext {
  /** Where state would be kept. */
  readonly root: string;
}

const timeoutMs = 10_000;

/** Runs a constant shell script in namespaces of its own, which end with it. */
export function inNamespaces(flags: readonly string[], script: string, operands: readonly string[] = []): Promise<ProgramResult> {
  return runProgram(['unshare', ...flags, '--', 'sh', '-ec', script, 'sh', ...operands], { timeoutMs });
}

/** Turns the end of a program into a finding; the remedy may depend on why it failed. */
export function found(result: ProgramResult, when: { readonly ok: string; readonly remedy: string }): Finding {
  if (result.exitCode === 0) return { ok: true, detail: when.ok };
  return {
    ok: false,
    detail: reason(result),
    remedy: result.errorCode === 'ENOENT' ? 'install the programs named above' : when.remedy,
  };
}

/** What an ordinary user is told of a probe that only root can run. */
export function notTried(): Finding {
  return { ok: false, untried: true, detail: 'not tried: only root can', remedy: againAsRoot() };
}

/** The directories of programs that sudo looks into (sudoers(5) secure_path, as Debian has it). */
const ofSudo = searchPath.split(':');

/** The command that runs this very nfio as root, on this very Node.js, wherever they are installed. */
export function againAsRoot(script = process.argv[1] ?? '', node = process.execPath): string {
  const program = ofSudo.includes(dirname(script)) ? basename(script) : script;
  return ofSudo.includes(dirname(node)) ? `sudo ${program} doctor` : `sudo ${node} ${script} doctor`;
}

function reason(result: ProgramResult): string {
  if (result.timedOut) return `no answer in ${timeoutMs / 1000} s`;
  if (result.errorCode === 'ENOENT') return 'a program for this is not installed';
  return result.stderr.trim().split('\n').at(-1) || `exit status ${result.exitCode}`;
}
