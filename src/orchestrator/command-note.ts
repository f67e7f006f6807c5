import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';

/** What was last written to `command` through a descriptor. */
export interface CommandNote {
  /** The request that brought the end of it. */
  readonly request: string;
  /** Its bytes, one a character. */
  readonly latin1: string;
  /** It waits to be complete; it runs, was given to a shell that had been given so much before, and is answered with this mark; or it has ended with this status. */
  readonly state: 'waits' | { readonly mark: string; readonly givenBytes: number } | { readonly exitCode: number };
}

/**
 * Notes, of one descriptor, what was last written to `command` and what came of it: for a server that takes over, which is asked again for what was not answered. It concerns one mount,
 * and need not be synced. A full disk costs only what it is for.
 */
export class CommandNotes {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Where the program that runs it leaves what it prints, when this server dies. */
  get heir(): string {
    return `${this.#path}.out`;
  }

  read(): CommandNote | undefined {
    const text = unlessAbsent(() => readFileSync(this.#path, 'utf8'));
    return text === undefined ? undefined : (JSON.parse(text) as CommandNote);
  }

  write(note: CommandNote): void {
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(note), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      rmSync(this.#path, { force: true });
    }
  }

  /** The descriptor is closed. */
  clear(): void {
    rmSync(this.#path, { force: true });
    for (const path of [this.heir, `${this.heir}.state`]) rmSync(path, { force: true });
  }
}
