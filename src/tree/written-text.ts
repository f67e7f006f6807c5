import type { UnsavedText } from './unsaved-journal.ts';

/** Most that is written through one descriptor to a value or to `command`, bytes. */
export const mostWrittenBytes = 1024 * 1024;

/** The smallest buffer that stdio writes out when it is full (setvbuf(3)), bytes. */
const blockBytes = 512;

/** What was written through one descriptor: one text, however many writes it came in. */
export class WrittenText {
  /** The value before the first write: what it goes back to when the text is refused. */
  readonly before: string;
  #bytes: Uint8Array;

  /** @param noted what came before, to a server before this one. */
  constructor(before: string, noted?: UnsavedText) {
    this.before = noted?.before ?? before;
    this.judged = noted?.judged ?? 0;
    this.request = noted?.request;
    this.#bytes = Buffer.from(noted?.latin1 ?? '', 'latin1');
  }

  /** How often something was handed over to be judged. */
  judged: number;

  /** The request that brought the end of it. */
  request: string | undefined;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Takes in a write: the data is copied. One at offset 0 begins the text again, as who rewrites a file does.
   *
   * @param offset in bytes; undefined: at the end (O_APPEND).
   * @throws EFBIG when the text becomes too long, or for a write that does not continue it.
   */
  add(data: Uint8Array, offset: number | undefined): void {
    const before = offset === 0 ? new Uint8Array() : this.#bytes;
    if (offset !== undefined && offset !== before.length) {
      throw Object.assign(new Error('a value is written from its beginning to its end'), { code: 'EFBIG' });
    }
    if (before.length + data.length > mostWrittenBytes) throw Object.assign(new Error('too long'), { code: 'EFBIG' });
    this.#bytes = Buffer.concat([before, data]);
  }

  /** What a server that takes over has to know. @param judged whether it is handed over to be judged now. */
  note(request: string, { judged }: { readonly judged: boolean }): UnsavedText {
    this.request = request;
    const latin1 = Buffer.from(this.#bytes).toString('latin1');
    return { before: this.before, latin1, judged: this.judged + (judged ? 1 : 0), request };
  }
}

/** True for a part of a longer text, cut by a full buffer of stdio: what follows comes in the next write. */
export function isCutByBuffer(data: Uint8Array): boolean {
  return data.length >= blockBytes && data.length % blockBytes === 0 && data.at(-1) !== newline;
}

const newline = 0x0a;
