/** What each kind of output keeps at most when nobody takes it as it comes. */
const maxKeptBytes = 1024 * 1024;

/** The first 1 MiB of an output. */
export class KeptOutput {
  readonly #chunks: Uint8Array[] = [];
  #room = maxKeptBytes;

  /** Takes in what came next; the chunk is copied, for it may be part of a larger buffer. */
  add(chunk: Uint8Array): void {
    if (this.#room <= 0) return;
    const part = Uint8Array.from(chunk.subarray(0, this.#room));
    this.#room -= part.length;
    this.#chunks.push(part);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
