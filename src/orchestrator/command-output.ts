import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { type ErrnoName, errnoName, errnoOf, isAbsence } from '../errors/index.ts';

/** Most output that is kept of the commands of one descriptor, bytes. */
const outputLimit = 64 * 1024 * 1024;
const cutShort = `\nnfio: more than ${outputLimit / 1024 / 1024} MiB were printed; the rest is not kept\n`;

/** What the commands of one descriptor print: a file that grows, and takes the place of what others printed each time a command of ours has ended. */
export class CommandOutput {
  readonly #path: string;
  readonly #shownAs: string;
  #file: Promise<FileHandle> | undefined;
  #written: Promise<unknown> = Promise.resolve();
  #size = 0;
  #failure: unknown;

  /** @param path of the file while its commands run; `shownAs`: where it is read. */
  constructor(path: string, shownAs: string) {
    this.#path = path;
    this.#shownAs = shownAs;
  }

  /** Takes in what was printed; the chunk is copied. */
  add(chunk: Uint8Array): void {
    if (this.#size >= outputLimit) return;
    const room = outputLimit - this.#size;
    this.#size += chunk.length;
    this.#write(chunk.length > room ? Buffer.concat([chunk.subarray(0, room), Buffer.from(cutShort)]) : Uint8Array.from(chunk));
  }

  /** What comes after a failure is not written: there would be a hole in it. */
  #write(data: Uint8Array): void {
    this.#written = this.#written
      .then(async () => this.#failure ?? (await (await this.#open()).appendFile(data)))
      .catch((error: unknown) => {
        this.#failure = error;
      });
  }

  /**
   * Shows all that was printed so far. Of two commands at once the one that ends last is seen.
   *
   * @returns the errno by which some of it could not be kept or shown (ENOSPC: a full disk); undefined: none was lost, or the VNF is gone, and the place for it.
   */
  async show(): Promise<ErrnoName | undefined> {
    await this.#shown().catch((error: unknown) => {
      this.#failure ??= error;
    });
    const failure = this.#failure;
    this.#failure = undefined;
    return failure === undefined || isAbsence(failure) ? undefined : errnoName(errnoOf(failure));
  }

  async #shown(): Promise<void> {
    await this.#open();
    await this.#written;
    const name = `${this.#path}.shown`;
    await rm(name, { force: true });
    await link(this.#path, name);
    await rename(name, this.#shownAs);
    await rm(name, { force: true }); // rename(2) does nothing where both are one file
  }

  async close(): Promise<void> {
    await this.#written;
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
    await rm(this.#path, { force: true });
  }

  #open(): Promise<FileHandle> {
    this.#file ??= this.#make().catch((error: unknown) => {
      this.#file = undefined;
      throw error;
    });
    return this.#file;
  }

  /** One that a server before this one made is what is shown: it stays as it is. */
  async #make(): Promise<FileHandle> {
    await rm(this.#path, { force: true });
    return await open(this.#path, 'wx', 0o600);
  }
}
