import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An ext4 of its own for a test's root: it can be filled, and made read-only. */
export class SmallDisk implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory: string;

  /**
   * @param options.inodes how many files fit; default: more than are needed.
   * @param options.blockBytes 4096, as large disks have, or as this one has by default, 1024.
   */
  constructor({
    megabytes = 16,
    inodes,
    blockBytes = 1024,
  }: { readonly megabytes?: number; readonly inodes?: number; readonly blockBytes?: 1024 | 4096 } = {}) {
    this.#directory = mkdtempSync(join(tmpdir(), 'nfio-disk-'));
    this.path = join(this.#directory, 'mnt');
    const image = join(this.#directory, 'image');
    mkdirSync(this.path);
    writeFileSync(image, '');
    truncateSync(image, megabytes * 1024 * 1024);
    const count = inodes === undefined ? [] : ['-N', String(inodes)];
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', '-b', String(blockBytes), ...count, image]);
    execFileSync('mount', ['-o', 'loop', image, this.path]);
  }

  /** What is below a path can only be read by whoever opens it from now on, as on a disk that failed; undone when disposed. */
  readOnly(path: string): Disposable {
    execFileSync('mount', ['--bind', path, path]);
    execFileSync('mount', ['-o', 'remount,bind,ro', path]);
    return { [Symbol.dispose]: () => void execFileSync('umount', ['-l', path]) };
  }

  [Symbol.dispose](): void {
    execFileSync('umount', [this.path]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
