import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { JournalEntry } from './journal-entry.ts';
import { encodeEntries } from './journal-text.ts';

/** Name of the journal in a root. */
export const journalName = 'journal';

/** How much room is made at a time. Bytes. */
const roomBytes = 64 * 1024;
const room = Buffer.alloc(roomBytes);
const nothing = Buffer.alloc(0);

/**
 * What has been confirmed and may not be in its own file yet. The file ends in zeros, room that was made beforehand: an append that fits into it changes nothing
 * but data, and so is on the disk with one write instead of those that a file's new length costs. One append and one fdatasync(2) confirm any number of changes that wait at the same
 * time; the files they are about are written after that, and need no sync of their own until the journal is emptied.
 */
export class Journal implements Disposable {
  readonly #fd: number;
  /** Bytes of entries, and of them with the zeros that follow. */
  #size = 0;
  #end = 0;
  /** Entries that are not durable yet, at the end of the others. */
  #ahead: Buffer = nothing;

  /** Opens a journal for entries to come: what is in it has been replayed. @throws as node:fs does */
  constructor(path: string) {
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      if (fstatSync(this.#fd).size > 0) this.clear();
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /** True while it holds entries that are not durable. */
  get isAhead(): boolean {
    return this.#ahead.length > 0;
  }

  /** Adds entries; `sync`: returns when they and all before them are durable. @throws as node:fs does; none of these is in the journal then. */
  append(entries: readonly JournalEntry[], { sync }: { readonly sync: boolean }): void {
    const bytes = Buffer.from(encodeEntries(entries));
    if (this.#size + bytes.length > this.#end) this.#makeRoom();
    try {
      this.#write(bytes, this.#size);
      if (sync && (this.isAhead || bytes.length > 0)) this.#sync();
    } catch (error) {
      this.#cut();
      throw error;
    }
    this.#size += bytes.length;
    this.#ahead = sync ? nothing : Buffer.concat([this.#ahead, bytes]);
  }

  /** The kernel forgets what it could not write, and would say the next time that all is well: what others wait for is written again. */
  #sync(): void {
    try {
      fdatasyncSync(this.#fd);
    } catch (error) {
      if (this.isAhead) this.#write(this.#ahead, this.#size - this.#ahead.length);
      throw error;
    }
  }

  /** On a full disk there is none to be had: the append finds out whether that matters. */
  #makeRoom(): void {
    try {
      this.#write(room, this.#end);
    } catch {
      this.#cut();
    }
  }

  #write(bytes: Uint8Array, position: number): void {
    for (let written = 0; written < bytes.length; )
      written += writeSync(this.#fd, bytes, written, bytes.length - written, position + written);
    this.#end = Math.max(this.#end, position + bytes.length);
  }

  #cut(): void {
    ftruncateSync(this.#fd, this.#size);
    this.#end = this.#size;
  }

  /** Empties it: everything it holds is durable elsewhere. */
  clear(): void {
    this.#size = 0;
    this.#cut();
    fdatasyncSync(this.#fd);
    this.#ahead = nothing;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
