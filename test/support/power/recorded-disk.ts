import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { unmount } from '../../../src/fuse/index.ts';
import { decodeRecording, type Recorded } from './record-format.ts';

const imageBytes = 32 * 1024 * 1024;
const mostTries = 300;

/**
 * An ext4 on a disk whose every write and sync is recorded, so that a test can see what a loss of power at any moment leaves: a loop device on a file that a
 * process of ours serves by FUSE. ext4 orders its writes by syncs of its device (there is no FUA), and so does the recording.
 */
export class RecordedDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory: string;
  readonly #ended: Promise<unknown>;

  private constructor(directory: string, ended: Promise<unknown>) {
    this.#directory = directory;
    this.#ended = ended;
    this.path = join(directory, 'ext4');
  }

  static async start(): Promise<RecordedDisk> {
    const directory = mkdtempSync(join(tmpdir(), 'nfio-power-'));
    const at = (name: string): string => join(directory, name);
    for (const name of ['fuse', 'ext4']) mkdirSync(at(name));
    writeFileSync(at('image'), '');
    truncateSync(at('image'), imageBytes);
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', at('image')]);
    copyFileSync(at('image'), at('base'));
    const server = fork(new URL('./recorder.ts', import.meta.url), [at('fuse'), at('image'), at('record')], { stdio: 'inherit' });
    const ended = once(server, 'exit');
    await Promise.race([once(server, 'message'), ended]);
    execFileSync('mount', ['-o', 'loop', at('fuse/disk'), at('ext4')]);
    return new RecordedDisk(directory, ended);
  }

  /** Notes that something was confirmed; what was written before is before it in the recording. */
  mark(text: string): void {
    writeFileSync(join(this.#directory, 'fuse/mark'), text);
  }

  /** Path of the image as it was before anything was recorded. */
  get base(): string {
    return join(this.#directory, 'base');
  }

  /** Ends the recording. */
  async recording(): Promise<readonly Recorded[]> {
    execFileSync('umount', [this.path]);
    await this.#unmountServed();
    await this.#ended;
    return decodeRecording(readFileSync(join(this.#directory, 'record')));
  }

  /** The loop device lets go of its file a moment after the unmount. */
  async #unmountServed(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await unmount(join(this.#directory, 'fuse'));
      } catch (error) {
        if (tries === mostTries) throw error;
        await delay(100);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of ['ext4', 'fuse'])
      try {
        execFileSync('umount', ['-l', join(this.#directory, name)], { stdio: 'ignore' });
      } catch {
        // not mounted any more
      }
    await this.#ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
