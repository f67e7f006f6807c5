import { join } from 'node:path';
import { runProgram } from './run-program.ts';

/** A VNF as the tree shows it. */
export interface VnfState {
  /** `type/name`. */
  readonly vnf: string;
  /** The hypervisor's word, or undeployed. */
  readonly status: string;
}

/** Tens of thousands of instances take a while. */
const timeoutMs = 60_000;

/**
 * The status of every VNF of a mount that the user may look at, read through the mount itself by another process, so that a mount that
 * hangs cannot hang this one. undefined when the mount stopped answering.
 */
export async function readVnfStates(mountpoint: string): Promise<readonly VnfState[] | undefined> {
  const types = join(mountpoint, 'nf-types');
  const files = ['-mindepth', '3', '-maxdepth', '3', '-name', 'status'];
  const result = await runProgram(['find', types, ...files, '-exec', 'grep', '-H', '', '{}', '+'], { timeoutMs });
  return result.timedOut ? undefined : parseStates(result.stdout);
}

/** Lines of grep -H: `…/nf-types/TYPE/NAME/status:running`. Names hold neither slash nor colon. */
export function parseStates(text: string): readonly VnfState[] {
  return text.split('\n').flatMap((line) => {
    const match = /\/([^/]+\/[^/]+)\/status:(.*)$/.exec(line);
    return match === null ? [] : [{ vnf: match[1] ?? '', status: match[2] ?? '' }];
  });
}

/** How many VNFs are in each state, the most frequent first: `3 running, 1 undeployed`. */
export function summarizeStates(states: readonly VnfState[]): string {
  if (states.length === 0) return 'none';
  const counts = new Map<string, number>();
  for (const { status } of states) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
}
