import { closeSync } from 'node:fs';

/** So many directories of one guest are held; the one that was not used for longest is let go when there would be more. At least two, for a rename. */
const mostDirectories = 16;

/**
 * Descriptors of directories in the root of a guest, by nodeid: who is in a directory asks for many things in it. A descriptor is of the very directory, wherever the guest moves it and
 * whatever it puts in its place; while it is held no other directory gets its inode number, and so its nodeid.
 */
export class HeldDirectories implements Disposable {
  readonly #fds = new Map<number, number>();

  get(nodeid: number): number | undefined {
    const fd = this.#fds.get(nodeid);
    if (fd !== undefined) {
      this.#fds.delete(nodeid);
      this.#fds.set(nodeid, fd);
    }
    return fd;
  }

  put(nodeid: number, fd: number): void {
    this.#fds.set(nodeid, fd);
    for (const [oldest, oldestFd] of this.#fds) {
      if (this.#fds.size <= mostDirectories) break;
      this.#fds.delete(oldest);
      closeSync(oldestFd);
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }
}
