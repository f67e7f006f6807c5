import { readFileSync } from 'node:fs';

/** So many descriptors are kept for the server's own work, or half of all where they are few. */
const mostReserved = 256;
/** What is held for each guest that runs gets one in so many. */
const holdsPart = 8;
/** What is taken for a limit that cannot be read. */
const usualLimit = 1024;

/** How the descriptors of this process are shared out. Together they are all that it may open. */
export interface DescriptorBudget {
  /** What users hold open, all together. */
  readonly users: number;
  /** What one user may hold open. */
  readonly perUser: number;
  /** What is held for guests and can be done without. */
  readonly holds: number;
  /** How many roots of guests are open at once. */
  readonly roots: number;
}

/** Shares a limit out. */
export function budgetOf(limit: number): DescriptorBudget {
  const holds = Math.floor(limit / holdsPart);
  const users = limit - holds - Math.min(mostReserved, Math.floor(limit / 2));
  return { users, perUser: Math.ceil(users / 2), holds, roots: limit < 4 * usualLimit ? Math.max(2, Math.floor(limit / 64)) : 32 };
}

/** An operator may change the limit of a process that runs (prlimit(1)): it is read again when it is so old, milliseconds. */
const trustMs = 1000;

let budget: DescriptorBudget | undefined;
let readMs = Number.NEGATIVE_INFINITY;

/** The budget of this process, of the limit (RLIMIT_NOFILE) that it has. */
export function descriptorBudget(): DescriptorBudget {
  const now = performance.now();
  if (budget !== undefined && now - readMs < trustMs) return budget;
  readMs = now;
  const limit = softLimit();
  if (limit !== undefined || budget === undefined) budget = budgetOf(limit ?? usualLimit);
  return budget;
}

/** "Max open files" of /proc/self/limits (proc_pid_limits(5)); undefined when it cannot be read, for which a descriptor is needed. */
function softLimit(): number | undefined {
  try {
    const soft = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft) || undefined;
  } catch {
    return undefined;
  }
}
