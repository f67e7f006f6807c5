/** Events of poll(2), asm-generic/poll.h. */
const POLLIN = 0x001;
const POLLPRI = 0x002;
const POLLOUT = 0x004;
const POLLRDNORM = 0x040;
const POLLWRNORM = 0x100;

/**
 * What poll(2) says of a special file: it can always be read and written, as any file, and POLLPRI tells that it changed since it was
 * last read through this descriptor (as on sysfs, see sysfs_notify in the kernel's documentation).
 */
export function readiness(changed: boolean): number {
  return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | (changed ? POLLPRI : 0);
}
