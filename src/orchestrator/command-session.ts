import { textOf } from '../domain/settings.ts';
import { type ErrnoName, NfioError } from '../errors/index.ts';
import type { CommandNote, CommandNotes } from './command-note.ts';
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

  readonly notes: CommandNotes;
  /** What a server before this one noted, and nobody has asked for yet. */
  #inherited: CommandNote | undefined;

  constructor(serial: number, output: CommandOutput, notes: CommandNotes) {
    this.serial = serial;
    this.#output = output;
    this.notes = notes;
    this.#inherited = notes.read();
    if (this.#inherited?.state === 'waits') this.hold(this.#inherited);
  }

  /** True for a request of which the server before this one noted something. */
  inherits(request: string): boolean {
    return this.#inherited?.request === request;
  }

  /** What that was; it is asked for once. */
  inherited(request: string): CommandNote | undefined {
    const note = this.#inherited;
    if (note?.request !== request) return undefined;
    this.#inherited = undefined;
    return note;
  }

  /** What was written to a server before this one waits for more. */
  hold({ latin1 }: CommandNote): void {
    this.#held = Buffer.from(latin1, 'latin1');
  }

  /** Takes in what was printed by a command that a server before this one began. */
  print(chunk: Uint8Array): void {
    this.#output.add(chunk);
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

  /** What waits, as text: bytes that are none are shown as such. */
  get waiting(): string {
    return Buffer.from(this.#held).toString();
  }

  /** True when what waits ends with a line, and so may be complete. */
  get endsLine(): boolean {
    return endsLine(this.#held);
  }

  /**
   * Takes in a write.
   *
   * @returns true when what waits may be complete.
   * @throws InvalidValueError (EFBIG) when it is too long: then none of what waited runs, nor what follows.
   */
  add(data: Uint8Array, request: string): boolean {
    if (this.#tooLong || this.#held.length + data.length > commandLimit) {
      this.#tooLong = true;
      this.#held = new Uint8Array();
      throw tooLong();
    }
    this.#held = Buffer.concat([this.#held, data]);
    this.#note(request, 'waits');
    // A write as long as the kernel makes them is one part of several.
    return data.length < commandLimit && this.endsLine;
  }

  /** Forgets what waits. */
  discard(request: string): void {
    if (!this.waits) return;
    this.#held = new Uint8Array();
    this.#tooLong = false;
    this.#note(request, 'waits');
  }

  /**
   * Runs what waits, if it is complete, or `whole`: as it is. Resolves to its exit status; undefined: it waits on.
   *
   * @throws VNFCommandExecutionError (EIO) when the shell has ended, by `exit` or because it was interrupted, and what the driver throws.
   */
  async run(execute: Execute, { whole, request }: { readonly whole: boolean; readonly request: string }): Promise<number | undefined> {
    if (this.#tooLong) throw tooLong();
    const text = this.#text();
    if (this.#ended) {
      this.#held = new Uint8Array();
      throw new NfioError('VNFCommandExecutionError', { message: 'the shell of this descriptor has ended: open command again for more' });
    }
    this.#shell ??= new CommandShell(execute, this.notes.heir);
    this.#note(request, { mark: this.#shell.mark, givenBytes: this.#shell.givenBytes });
    try {
      const result = await this.#shell.run(text, { whole, onOutput: (chunk) => this.#output.add(chunk) });
      if (result.kind === 'incomplete') {
        this.#note(request, 'waits');
        return undefined;
      }
      this.#held = new Uint8Array();
      this.#ended = result.ended;
      return result.exitCode;
    } catch (error) {
      this.#held = new Uint8Array();
      this.#ended = true;
      throw error;
    }
  }

  /** Notes how a command has ended, when what it printed is shown. */
  ended(request: string, exitCode: number): void {
    this.#note(request, { exitCode });
  }

  #note(request: string, state: CommandNote['state']): void {
    this.notes.write({ request, latin1: Buffer.from(this.#held).toString('latin1'), state });
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
    this.notes.clear();
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
