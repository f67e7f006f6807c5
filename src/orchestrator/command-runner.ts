import { verbThatRuns } from '../domain/lifecycle.ts';
import { type ErrnoName, NfioError } from '../errors/index.ts';
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
  /** The request came before, to a server that died. */
  readonly again: boolean;
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
   *   the same; CancelledError when it was cancelled, never EINTR, after which Python and Node run a command again. A command that a server which died may have run is not run twice.
   */
  async write(fh: number, { serial, data, signal, again }: CommandWrite): Promise<void> {
    await this.#model.recordVnf(serial, 'command', async () => {
      if (again) throw mayHaveRun();
      this.#checkRunning(serial);
      const session = this.#session(fh, serial);
      await session.lane.run(async () => {
        if (session.add(data)) await this.#run(session, { whole: false, signal });
      });
    });
  }

  /** A writer closes the file: what is left runs. `last`: nobody has it open any more, and its shell ends. Fails as write() does. */
  async finish(fh: number, { last, signal }: { readonly last: boolean; readonly signal: AbortSignal }): Promise<void> {
    const session = this.#sessions.get(fh);
    if (session === undefined) return;
    if (last) this.#sessions.delete(fh);
    try {
      await session.lane.run(async () => {
        if (session.waits) await this.#model.recordVnf(session.serial, 'command', () => this.#run(session, { whole: true, signal }));
      });
    } finally {
      if (last) await session.end();
    }
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
    const session = new CommandSession(serial, new CommandOutput(`${shown}.${this.#count}`, shown));
    this.#sessions.set(fh, session);
    return session;
  }

  #checkRunning(serial: number): void {
    const vnf = this.#model.vnf(serial);
    const state = this.#model.state(vnf);
    if (state === 'running') return;
    const verb = verbThatRuns(state);
    const remedy = verb === undefined ? '' : `. Run: echo ${verb} > ${pathOf(vnf)}/action`;
    throw new NfioError('VNFNotRunningError', { message: `the VNF is ${state}, and a command needs a running one${remedy}` });
  }

  async #run(session: CommandSession, how: { readonly whole: boolean; readonly signal: AbortSignal }): Promise<void> {
    const { serial } = session;
    this.#checkRunning(serial);
    const vnf = this.#model.vnf(serial);
    const driver = this.#model.driverOf(vnf);
    const execute: Execute = (command, onOutput) =>
      driver.executeInGuest(this.#model.ref(vnf), command, { signal: session.signal, onOutput });
    const interrupt = (): void => session.interrupt(how.signal.reason);
    how.signal.addEventListener('abort', interrupt, { once: true });
    let exitCode: number | undefined;
    let lost: ErrnoName | undefined;
    try {
      exitCode = await session.run(execute, how.whole);
    } catch (cause) {
      if (how.signal.aborted) throw cancelled(cause);
      throw cause;
    } finally {
      how.signal.removeEventListener('abort', interrupt);
      lost = await session.show();
      this.#model.publishVnf(serial);
    }
    if (exitCode === undefined) return;
    this.#model.parts.events.add({ path: pathOf(vnf), what: 'command', why: `exit status ${exitCode}` });
    if (exitCode !== 0 || lost !== undefined) throw failed(exitCode, lost);
  }
}

/** @param lost why what it printed could not be kept. */
function failed(exitCode: number, lost: ErrnoName | undefined): NfioError {
  const signal = exitCode > 128 ? ` (signal ${exitCode - 128})` : '';
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
