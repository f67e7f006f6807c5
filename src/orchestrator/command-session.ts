import { textOf } from '../domain/settings.ts';
import { type ErrnoName, NfioError } from '../errors/index.ts';
import type { CommandOutput } from './command-output.ts';
import { CommandShell, type Execute } from './command-shell.ts';
import { Lane } from './lane.ts';

/** Most that waits to be complete, and so the longest command, bytes: as much as one write(2) brings in one piece. */
export const commandLimit = 1024 * 1024;

const newline = 0x0a;

/** What is written to `command` through one descriptor: a script, which one shell runs as its commands become complete. */
export class CommandSession {
  readonly serial: number;
  /** Writes to one descriptor are taken one after another. */
  readonly lane = new Lane();
  readonly #output: CommandOutput;
  #held: Uint8Array = new Uint8Array();
  #tooLong = false;
  #shell: CommandShell | undefined;
  #ended = false;
  readonly #interruption = new AbortController();

  constructor(serial: number, output: CommandOutput) {
    this.serial = serial;
    this.#output = output;
  }

  /** Aborted when the shell is to be ended. */
  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  /** Ends the shell, and what it runs. */
  interrupt(reason: unknown): void {
    this.#interruption.abort(reason);
  }

  /** True when something that was written has not run, or was too long to. */
  get waits(): boolean {
    return this.#held.length > 0 || this.#tooLong;
  }

  /**
   * Takes in a write.
   *
   * @returns true when what waits may be complete.
   * @throws InvalidValueError (EFBIG) when it is too long: then none of what waited runs, nor what follows.
   */
  add(data: Uint8Array): boolean {
    if (this.#tooLong || this.#held.length + data.length > commandLimit) {
      this.#tooLong = true;
      this.#held = new Uint8Array();
      throw tooLong();
    }
    this.#held = Buffer.concat([this.#held, data]);
    // A write as long as the kernel makes them is one part of several.
    return data.length < commandLimit && endsLine(this.#held);
  }

  /**
   * Runs what waits, if it is complete, or `whole`: as it is. Resolves to its exit status; undefined: it waits on.
   *
   * @throws VNFCommandExecutionError (EIO) when the shell has ended, by `exit` or because it was interrupted, and what the driver throws.
   */
  async run(execute: Execute, whole: boolean): Promise<number | undefined> {
    if (this.#tooLong) throw tooLong();
    const text = this.#text();
    if (this.#ended) {
      this.#held = new Uint8Array();
      throw new NfioError('VNFCommandExecutionError', { message: 'the shell of this descriptor has ended: open command again for more' });
    }
    this.#shell ??= new CommandShell(execute);
    try {
      const result = await this.#shell.run(text, { whole, onOutput: (chunk) => this.#output.add(chunk) });
      if (result.kind === 'incomplete') return undefined;
      this.#held = new Uint8Array();
      this.#ended = result.ended;
      return result.exitCode;
    } catch (error) {
      this.#held = new Uint8Array();
      this.#ended = true;
      throw error;
    }
  }

  #text(): string {
    try {
      return `${textOf(this.#held, commandLimit)}\n`;
    } catch (error) {
      this.#held = new Uint8Array();
      throw error;
    }
  }

  /** Shows what was printed so far. @returns why not all of it could be. */
  show(): Promise<ErrnoName | undefined> {
    return this.#output.show();
  }

  /** The descriptor is closed. */
  async end(): Promise<void> {
    this.#shell?.end();
    await this.#output.close();
  }
}

/** Nothing of what is too long runs. */
function tooLong(): NfioError {
  return new NfioError('InvalidValueError', { message: `a command has at most ${commandLimit} bytes`, errno: 'EFBIG' });
}

/** True for text that ends with a line, which does not go on in the next one (a backslash, sh(1)). */
function endsLine(text: Uint8Array): boolean {
  if (text.at(-1) !== newline) return false;
  let backslashes = 0;
  while (text.at(-2 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 0;
}
