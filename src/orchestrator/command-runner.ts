import { verbThatRuns } from '../domain/lifecycle.ts';
import { type ErrnoName, NfioError } from '../errors/index.ts';
import { lastAnswer } from './command-heir.ts';
import { type CommandNote, CommandNotes } from './command-note.ts';
import { CommandOutput } from './command-output.ts';
import { CommandSession } from './command-session.ts';
import type { Execute } from './command-shell.ts';
import { type Model, pathOf } from './model.ts';
import { outputPath } from './observations.ts';

/** So many descriptors of one `command` may have a shell in the guest. */
const mostSessions = 32;

/** A write to `command`. */
export interface CommandWrite {
  readonly serial: number;
  readonly data: Uint8Array;
  readonly signal: AbortSignal;
  /** Names the request, also when it comes again to the server after this one. */
  readonly request: string;
  /** Is told each command that runs by it. */
  readonly runs: (text: string) => void;
}

/** The close of a `command`. */
export interface CommandClose extends Omit<CommandWrite, 'data'> {
  /** Nobody has it open any more. */
  readonly last: boolean;
}

/** Runs what is written to `command` in the guest, by its shell: each command once it is complete, the rest when its writer closes the file. */
export class CommandRunner {
  readonly #model: Model;
  readonly #sessions = new Map<number, CommandSession>();
  #count = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  /**
   * Takes in a write through an open file. Resolves when what is complete has ended with status 0 and its output, stdout and stderr as they came, can be read.
   *
   * @throws VNFNotRunningError (ENODEV), InvalidValueError (EFBIG, EILSEQ), VNFCommandExecutionError (EIO) for another status: the output can be read all
   *   the same; CancelledError when it was cancelled, never EINTR, after which Python and Node run a command again. A command that a server which died had begun is not run twice: its
   *   end is waited for where its hypervisor lets it go on, else VNFCommandExecutionError says that it may have run.
   */
  async write(fh: number, { serial, data, ...how }: CommandWrite): Promise<void> {
    await this.#model.recordVnf(serial, 'command', async () => {
      const session = this.#session(fh, serial);
      await session.lane.run(async () => {
        const taken = await this.#takeUp(session, how);
        if (taken === 'done') return;
        this.#checkRunning(serial);
        if (taken === 'added' ? session.endsLine : session.add(data, how.request)) await this.#run(session, { ...how, whole: false });
      });
    });
  }

  /** A writer closes the file: what is left runs. `last`: nobody has it open any more, and its shell ends. Fails as write() does. */
  async finish(fh: number, { serial, last, ...how }: CommandClose): Promise<void> {
    const session = this.#known(fh, serial);
    if (session === undefined) return;
    if (last) this.#sessions.delete(fh);
    try {
      await session.lane.run(async () => {
        if (!session.waits && !session.inherits(how.request)) return;
        await this.#model.recordVnf(serial, 'command', async () => {
          if ((await this.#takeUp(session, how)) === 'done' || !session.waits) return;
          await this.#run(session, { ...how, whole: true });
        });
      });
    } finally {
      if (last) await session.end();
    }
  }

  /** What waits to be complete never will be: nothing of it runs. */
  async discard(fh: number, { serial, request }: Pick<CommandClose, 'serial' | 'request'>): Promise<void> {
    const session = this.#known(fh, serial);
    await session?.lane.run(async () => session.discard(request));
  }

  /** The session of an open file, also of one that a server before this one began; undefined when nothing was written. */
  #known(fh: number, serial: number): CommandSession | undefined {
    if (this.#model.inventory.vnf(serial) === undefined) return undefined;
    return this.#sessions.get(fh) ?? (this.#notes(fh, serial).read() === undefined ? undefined : this.#session(fh, serial));
  }

  #session(fh: number, serial: number): CommandSession {
    const known = this.#sessions.get(fh);
    if (known !== undefined) return known;
    const others = [...this.#sessions.values()].filter((session) => session.serial === serial).length;
    if (others >= mostSessions) {
      const message = `command is open ${others} times, and no more than ${mostSessions} shells run at once in a guest: close some`;
      throw new NfioError('BusyError', { message, errno: 'EAGAIN' });
    }
    // Each has a file of its own: of two commands at once neither cuts the other's output.
    this.#count += 1;
    const shown = outputPath(this.#model.ref(this.#model.vnf(serial)));
    const session = new CommandSession(serial, new CommandOutput(`${shown}.${this.#count}`, shown), this.#notes(fh, serial));
    this.#sessions.set(fh, session);
    return session;
  }

  #notes(fh: number, serial: number): CommandNotes {
    const { guestDir } = this.#model.ref(this.#model.vnf(serial));
    return new CommandNotes(`${guestDir}/command.${this.#model.parts.mountedMs}.${fh}`);
  }

  /** Does what is left of a request that the server before this one had taken: `done`; it is only part of what waits: `added`; or it had not: `new`. */
  async #takeUp(session: CommandSession, how: Pick<CommandWrite, 'request' | 'signal' | 'runs'>): Promise<'done' | 'added' | 'new'> {
    const note = session.inherited(how.request);
    if (note === undefined) return 'new';
    if (note.state === 'waits') return 'added';
    const exitCode = 'exitCode' in note.state ? note.state.exitCode : await this.#endOf(session, note, { ...note.state, ...how });
    if (exitCode === 'never') return 'added';
    if (exitCode !== undefined) how.runs(textOf(note));
    if (exitCode !== undefined && exitCode !== 0) throw failed(exitCode, undefined);
    return 'done';
  }

  /** Waits for the end of a command that the server before this one began. Resolves to its exit status; undefined: it is not complete, and waits; `never`: it was not begun. */
  async #endOf(
    session: CommandSession,
    note: CommandNote,
    {
      request,
      runs: _,
      ...how
    }: { readonly mark: string; readonly givenBytes: number } & Pick<CommandWrite, 'request' | 'signal' | 'runs'>,
  ): Promise<number | undefined | 'never'> {
    const vnf = this.#model.vnf(session.serial);
    const driver = this.#model.driverOf(vnf);
    const answer = await lastAnswer(() => driver.lastPrinted?.(session.notes.heir), how);
    if (answer === undefined) throw mayHaveRun();
    if (answer === 'never') {
      session.hold(note);
      return 'never';
    }
    if (answer.text === 'more') {
      session.hold(note);
      return undefined;
    }
    session.print(answer.output);
    const lost = await session.show();
    this.#model.publishVnf(session.serial);
    session.ended(request, Number(answer.text));
    if (lost !== undefined) throw failed(Number(answer.text), lost);
    return Number(answer.text);
  }

  #checkRunning(serial: number): void {
    const vnf = this.#model.vnf(serial);
    const state = this.#model.state(vnf);
    if (state === 'running') return;
    const verb = verbThatRuns(state);
    const remedy = verb === undefined ? '' : `. Run: echo ${verb} > ${pathOf(vnf)}/action`;
    throw new NfioError('VNFNotRunningError', { message: `the VNF is ${state}, and a command needs a running one${remedy}` });
  }

  async #run(session: CommandSession, how: Pick<CommandWrite, 'request' | 'signal' | 'runs'> & { readonly whole: boolean }): Promise<void> {
    const { serial } = session;
    this.#checkRunning(serial);
    const vnf = this.#model.vnf(serial);
    const driver = this.#model.driverOf(vnf);
    const execute: Execute = (command, onOutput) =>
      driver.executeInGuest(this.#model.ref(vnf), command, { signal: session.signal, onOutput });
    const interrupt = (): void => session.interrupt(how.signal.reason);
    how.signal.addEventListener('abort', interrupt, { once: true });
    const text = session.waiting;
    let exitCode: number | undefined;
    let lost: ErrnoName | undefined;
    try {
      exitCode = await session.run(execute, how);
    } catch (cause) {
      how.runs(text);
      if (how.signal.aborted) throw cancelled(cause);
      throw cause;
    } finally {
      how.signal.removeEventListener('abort', interrupt);
      lost = await session.show();
      this.#model.publishVnf(serial);
    }
    if (exitCode === undefined) return;
    how.runs(text);
    session.ended(how.request, exitCode);
    if (exitCode !== 0 || lost !== undefined) throw failed(exitCode, lost);
  }
}

/** The command of a note, as text. */
function textOf({ latin1 }: CommandNote): string {
  return Buffer.from(latin1, 'latin1').toString();
}

/** SIGRTMAX, signal(7): beyond 128 plus this a shell's status is the program's own. */
const lastSignal = 64;

/** @param lost why what it printed could not be kept. */
function failed(exitCode: number, lost: ErrnoName | undefined): NfioError {
  const signal = exitCode > 128 && exitCode <= 128 + lastSignal ? ` (signal ${exitCode - 128})` : '';
  const status = `exit status ${exitCode}${signal}`;
  if (lost === undefined) return new NfioError('VNFCommandExecutionError', { message: `${status}; its output is in the file command` });
  const message = `${status}; not all of its output could be kept (${lost}). Make room on the disk of --root, and run it again if it may run twice`;
  return new NfioError('VNFCommandExecutionError', { message, ...(exitCode === 0 && { errno: lost }) });
}

function cancelled(cause: unknown): NfioError {
  return new NfioError('CancelledError', {
    message: 'cancelled by its caller, and ended; it may have done a part, see the file command',
    cause,
  });
}

function mayHaveRun(): NfioError {
  return new NfioError('VNFCommandExecutionError', {
    message: 'nf.io was restarted while the command ran: it may or may not have run to its end',
  });
}
