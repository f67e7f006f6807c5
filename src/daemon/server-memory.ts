/** Threads of Node.js that wait for disks: half of them for what users do (DiskWork). */
const threads: Readonly<Record<string, string>> = { UV_THREADPOOL_SIZE: '16' };

/**
 * How glibc gives memory back (mallopt(3)). Left to itself it keeps an arena for each thread, and never lowers again how much a block must have to be returned at once: a server that was busy
 * for three minutes kept twice as much as it used. Where another C library is in use this means nothing.
 */
const allocator: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
};

/** Flags of Node.js for a server: the kernel thread sleeps in read(2), so that no idle time shrinks what a busy one has taken for young objects. MiB. */
export const serverFlags: readonly string[] = ['--max-semi-space-size=4'];

/** The environment that a server is started with. What its user has chosen stays. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { ...allocator, ...threads, ...process.env };
}

/** The programs that a server starts choose for themselves. */
export function forgetServerEnvironment(): void {
  for (const [name, value] of Object.entries({ ...allocator, ...threads })) if (process.env[name] === value) delete process.env[name];
}
