import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unlessAbsent } from '../errors/index.ts';

/** A verb that was under way. */
export interface VerbNote {
  /** Of the VNF. */
  readonly serial: number;
  readonly verb: string;
  /** Nobody waits for it: it finishes what an earlier mount left. */
  readonly unasked: boolean;
}

const unaskedMark = ' unasked';

/**
 * Notes which verbs are under way: one file per busy VNF, named by its serial. When all processes of a mount are killed, the next mount finds here what nobody will ask
 * for again. A note need not be synced, and no guest outlives a boot. Without room for the note the verb goes on all the same.
 */
export class VerbNotes {
  readonly #directory: string;

  /** @param directory is made when it is needed. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A verb begins. */
  begin({ serial, verb, unasked }: VerbNote): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      writeFileSync(this.#path(serial), unasked ? `${verb}${unaskedMark}` : verb, { mode: 0o600 });
    } catch {
      this.end(serial); // half a note says nothing
    }
  }

  /** It is done or taken back. */
  end(serial: number): void {
    try {
      rmSync(this.#path(serial), { force: true });
    } catch {
      // A note that stays has a verb carried out again that is done: nothing is left to do then.
    }
  }

  /** What was under way when the server before this one ended. @throws what the file system does. */
  left(): VerbNote[] {
    const names = unlessAbsent(() => readdirSync(this.#directory)) ?? [];
    return names.map((name) => {
      const text = readFileSync(join(this.#directory, name), 'utf8');
      const unasked = text.endsWith(unaskedMark);
      return { serial: Number(name), verb: unasked ? text.slice(0, -unaskedMark.length) : text, unasked };
    });
  }

  #path(serial: number): string {
    return join(this.#directory, String(serial));
  }
}
