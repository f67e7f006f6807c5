import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';

/** Most output that is kept of the commands of one descriptor, bytes. */
const outputLimit = 64 * 1024 * 1024;

/** What the commands of one descriptor print: a file that grows, and takes the place of what others printed each time a command of ours has ended. */
export class CommandOutput {
  readonly #path: string;
  readonly #shownAs: string;
  #file: Promise<FileHandle> | undefined;
  #written: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** @param path of the file while its commands run; `shownAs`: where it is read. */
  constructor(path: string, shownAs: string) {
    this.#path = path;
    this.#shownAs = shownAs;
  }

  /** Takes in what was printed; the chunk is copied. */
  add(chunk: Uint8Array): void {
    if (this.#size >= outputLimit) return;
    const kept = Uint8Array.from(chunk.subarray(0, outputLimit - this.#size));
    this.#size += kept.length;
    this.#written = this.#written.then(async () => (await this.#open()).write(kept)).catch(() => undefined); // a full disk: what came before is shown
  }

  /** Shows all that was printed so far. Of two commands at once the one that ends last is seen. */
  async show(): Promise<void> {
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
    this.#file ??= open(this.#path, 'w', 0o600);
    return this.#file;
  }
}
