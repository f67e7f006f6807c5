/** What says that there is no such file, process or device (errno(3)); ENODEV: its control group has been removed. Everything else says that one could not look. */
const absences: readonly unknown[] = ['ENOENT', 'ESRCH', 'ENXIO', 'ENODEV'];

/** What may pass: a limit of open files that was reached, a disk or a device that did not answer well. */
const passing: readonly unknown[] = ['EMFILE', 'ENFILE', 'EIO', 'EAGAIN', 'EINTR', 'ENOMEM'];

/**
 * Whether a failed system call says that what it was about is not there. To fail to look (EMFILE, EIO, EACCES, …) is not that: whoever takes it for it gives up
 * what exists. So it is retried, or told.
 */
export function isAbsence(error: unknown): boolean {
  return absences.includes((error as NodeJS.ErrnoException | null)?.code);
}

/** Whether the same call may succeed soon. */
export function mayPass(error: unknown): boolean {
  return passing.includes((error as NodeJS.ErrnoException | null)?.code);
}

/** What a call returns; undefined when what it is about is not there. @throws what else the call throws. */
export function unlessAbsent<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}
