import { NfioError } from '../../errors/index.ts';
import type { ModuleSource } from '../module-files.ts';
import type { ModuleDescription } from './messages.ts';
import { type ModuleCall, type ModuleLimits, RunningThread } from './running-thread.ts';

/**
 * A user's module in a thread of its own, so that whatever it does stops nothing else. A thread that the module breaks is ended; the next call begins with
 * a fresh one, and what the module kept in variables is lost.
 */
export class IsolatedModule {
  readonly #source: ModuleSource;
  readonly #limits: ModuleLimits;
  readonly #onBroken: (error: Error) => void;
  #thread: RunningThread | undefined;
  #retired = false;

  /** @param onBroken is told why a thread was ended in which the module had been imported. */
  constructor(source: ModuleSource, limits: ModuleLimits, onBroken: (error: Error) => void) {
    this.#source = source;
    this.#limits = limits;
    this.#onBroken = onBroken;
  }

  /** Imports the module. @throws MalformedModuleError, BrokenModuleError */
  async describe(): Promise<ModuleDescription> {
    return await this.#running().imported;
  }

  /** Calls a function of the module. @throws what it throws, and BrokenModuleError when it breaks its thread. */
  async call(call: ModuleCall): Promise<unknown> {
    const thread = this.#running();
    try {
      return await thread.call(call);
    } finally {
      this.#endIfRetired(thread);
    }
  }

  /** A later version serves from now on: the thread ends when nothing goes on in it. Who still holds this one can call it. */
  retire(): void {
    this.#retired = true;
    if (this.#thread !== undefined) this.#endIfRetired(this.#thread);
  }

  #running(): RunningThread {
    if (this.#thread !== undefined) return this.#thread;
    let imported = false;
    const thread = new RunningThread(this.#source, this.#limits, (error) => {
      if (this.#thread === thread) this.#thread = undefined;
      if (imported && !this.#retired) this.#onBroken(error);
    });
    void thread.imported.then(
      () => (imported = true),
      () => undefined,
    );
    this.#thread = thread;
    return thread;
  }

  #endIfRetired(thread: RunningThread): void {
    if (this.#retired && this.#thread === thread && thread.idle)
      thread.end(new NfioError('BrokenModuleError', { message: `module ${this.#source.type} has a later version` }));
  }
}
