import { read, write } from 'node:fs';
import { utimes, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { BoundedWork } from '../domain/bounded-work.ts';
import { isAbsence } from '../errors/index.ts';

/** So many operations wait for the disk at once, of the threads that Node.js has for that (serverEnvironment): the others are for what must not wait for it. */
const mostAtOnce = 8;

/** Work on the disk of user files that may take long, away from the thread that serves everybody. */
export class DiskWork {
  readonly #probe: string;
  readonly #work = new BoundedWork(mostAtOnce);

  /** @param probe a file of nf.io's own on that disk; it is made. */
  constructor(probe: string) {
    this.#probe = probe;
  }

  /** Changes something on the disk. Resolves to how long that took, milliseconds; what it failed with is not waited for, and so not told. */
  async probe(): Promise<number> {
    const began = performance.now();
    const now = new Date();
    await utimes(this.#probe, now, now).catch((error: unknown) =>
      isAbsence(error) ? writeFile(this.#probe, '').catch(() => undefined) : undefined,
    );
    return performance.now() - began;
  }

  /** pread(2). @returns the bytes that there were. */
  read(fd: number, size: number, offset: number): Promise<Uint8Array> {
    return this.run(async () => {
      const { bytesRead, buffer } = await promisify(read)(fd, Buffer.allocUnsafe(size), 0, size, offset);
      return buffer.subarray(0, bytesRead);
    });
  }

  /** pwrite(2). @returns how many bytes were written. */
  write(fd: number, data: Uint8Array, offset: number): Promise<number> {
    return this.run(async () => (await promisify(write)(fd, data, 0, data.length, offset)).bytesWritten);
  }

  /** Does work when there is a thread for it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#work.run(work);
  }
}
