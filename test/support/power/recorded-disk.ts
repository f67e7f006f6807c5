import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeRecording, type Recorded } from './record-format.ts';

const imageBytes = 32 * 1024 * 1024;
const endTimeoutMs = 5000;

/**
 * An ext4 on a disk whose every write and sync is recorded, so that a test can see what a loss of power at any moment leaves: a loop device on a file that a
 * process of ours serves by FUSE. ext4 orders its writes by syncs of its device (there is no FUA), and so does the recording.
 */
export class RecordedDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory: string;
  readonly #server: ChildProcess;

  private constructor(directory: string, server: ChildProcess) {
    this.#directory = directory;
    this.#server = server;
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
    await Promise.race([once(server, 'message'), once(server, 'exit')]);
    execFileSync('mount', ['-o', 'loop', at('fuse/disk'), at('ext4')]);
    return new RecordedDisk(directory, server);
  }

  /** Notes that something was confirmed; what was written before is before it in the recording. */
  mark(text: string): void {
    writeFileSync(join(this.#directory, 'fuse/mark'), text);
  }

  /** Path of the image as it was before anything was recorded. */
  get base(): string {
    return join(this.#directory, 'base');
  }

  /** What was recorded up to now. */
  recording(): readonly Recorded[] {
    return decodeRecording(readFileSync(join(this.#directory, 'record')));
  }

  /** Other mount namespaces may have copies of the mounts, and keep the server for as long as they live. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of ['ext4', 'fuse']) execFileSync('umount', ['-l', join(this.#directory, name)]);
    const ended = this.#server.exitCode === null ? once(this.#server, 'exit') : undefined;
    await Promise.race([ended, delay(endTimeoutMs)]);
    if (this.#server.kill('SIGKILL')) await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
