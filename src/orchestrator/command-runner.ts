import { open, rename, rm } from 'node:fs/promises';
import { textOf } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import { type Model, pathOf } from './model.ts';
import { outputPath } from './observations.ts';

/** Largest command, and most output that is kept. Bytes. */
const commandLimit = 128 * 1024;
const outputLimit = 64 * 1024 * 1024;

/** Runs what is written to `command` in the guest, by its shell. */
export class CommandRunner {
  readonly #model: Model;
  #count = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  /**
   * Resolves when the command has ended with status 0 and its output, stdout and stderr as they came, can be read.
   *
   * @throws VNFNotRunningError (ENODEV), VNFCommandExecutionError (EIO) for another status, CancelledError when it was cancelled: the output can be read all
   *   the same. Never EINTR, after which Python and Node run a command again.
   *   A command that a server which died may have run (`how.again`) is not run twice.
   */
  async run(serial: number, data: Uint8Array, how: { readonly signal: AbortSignal; readonly again: boolean }): Promise<void> {
    await this.#model.recordVnf(serial, 'command', async () => {
      if (how.again) {
        throw new NfioError('VNFCommandExecutionError', {
          message: 'nf.io was restarted while the command ran: it may or may not have run to its end',
        });
      }
      const text = textOf(data, commandLimit);
      const vnf = this.#model.vnf(serial);
      const state = this.#model.state(vnf);
      if (state !== 'running') {
        throw new NfioError('VNFNotRunningError', { message: `the VNF is ${state}: a command needs a running one` });
      }
      const exitCode = await this.#execute(serial, text, how.signal);
      this.#model.parts.events.add({ path: pathOf(vnf), what: 'command', why: `exit status ${exitCode}` });
      if (exitCode !== 0) {
        throw new NfioError('VNFCommandExecutionError', {
          message: `exit status ${exitCode}${exitCode > 128 ? ` (signal ${exitCode - 128})` : ''}; its output is in the file command`,
        });
      }
    });
  }

  async #execute(serial: number, text: string, signal: AbortSignal): Promise<number> {
    const vnf = this.#model.vnf(serial);
    const driver = this.#model.driverOf(vnf);
    const ref = this.#model.ref(vnf);
    // Output is put in place when it is whole; of two commands at once the one that ends last is seen.
    this.#count += 1;
    const path = `${outputPath(ref)}.${this.#count}`;
    const output = await open(path, 'w', 0o600);
    let size = 0;
    let written: Promise<unknown> = Promise.resolve();
    const onOutput = (chunk: Uint8Array): void => {
      if (size >= outputLimit) return;
      const kept = Uint8Array.from(chunk.subarray(0, outputLimit - size));
      size += kept.length;
      written = written.then(() => output.write(kept));
    };
    try {
      const { exitCode } = await driver.executeInGuest(ref, { argv: ['/bin/sh', '-c', text] }, { signal, onOutput });
      return exitCode;
    } catch (cause) {
      if (!signal.aborted) throw cause;
      throw new NfioError('CancelledError', {
        message: 'cancelled by its caller, and ended; it may have done a part, see the file command',
        cause,
      });
    } finally {
      await written.catch(() => undefined);
      await output.close();
      await rename(path, outputPath(ref)).catch(() => rm(path, { force: true }));
      this.#model.publishVnf(serial);
    }
  }
}
