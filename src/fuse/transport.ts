import { readSync, writeSync } from 'node:fs';

/** Where requests come from and replies go to: /dev/fuse, or a test. */
export interface Transport {
  /** Waits for one request and puts it at the start of the buffer. Returns its length, 0 when the file system was unmounted. */
  read(buffer: Uint8Array): number;
  /** Sends one whole message, the first `length` bytes of the buffer. Throws as node:fs does. */
  write(buffer: Uint8Array, length: number): void;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** An open /dev/fuse that is mounted. Any thread may write; one thread reads. */
export class DeviceTransport implements Transport {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(buffer: Uint8Array): number {
    for (;;) {
      try {
        return readSync(this.#fd, buffer, 0, buffer.length, null);
      } catch (error) {
        if (isUnmounted(error)) return 0;
        waitToRetry(error);
      }
    }
  }

  write(buffer: Uint8Array, length: number): void {
    writeSync(this.#fd, buffer, 0, length);
  }
}

/** ENODEV: unmounted. ECONNABORTED: aborted through /sys/fs/fuse/connections. */
function isUnmounted(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'ENODEV' || code === 'ECONNABORTED';
}

/** ENOENT: the request was interrupted before it was read. EAGAIN: the descriptor is not blocking. */
function waitToRetry(error: unknown): void {
  const { code } = error as { code?: unknown };
  if (code === 'ENOENT' || code === 'EINTR') return;
  if (code !== 'EAGAIN') throw error;
  Atomics.wait(pause, 0, 0, 1);
}
