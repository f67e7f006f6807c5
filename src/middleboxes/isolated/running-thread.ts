import { Worker } from 'node:worker_threads';
import type { GuestAccess, HookInstance } from '../../domain/middlebox.ts';
import { NfioError } from '../../errors/index.ts';
import { firstLine } from '../first-line.ts';
import type { ModuleSource } from '../module-files.ts';
import type { ExecuteRequest, FromThread, FunctionPath, ModuleDescription, SentArgument, ToThread } from './messages.ts';
import { type Outcome, outcomeOf, receive, sentError } from './outcome.ts';

/** What a module may take. */
export interface ModuleLimits {
  /** Longest that importing it may take, milliseconds. */
  readonly importTimeoutMs: number;
  /** How long it may compute without an `await`, milliseconds: nothing else of it goes on meanwhile. */
  readonly patienceMs: number;
  /** After so long nobody waits for a function of it any more, milliseconds. */
  readonly callTimeoutMs: number;
  /** Most memory for what it keeps, MiB. */
  readonly memoryMiB: number;
}

/** What a function of a module is called for, and may run programs in. */
export type Callee = Pick<HookInstance, 'execute'> & Partial<Pick<GuestAccess, 'executeInNetwork' | 'signal'>>;

/** A call of a function of a module. */
export interface ModuleCall {
  readonly path: FunctionPath;
  readonly args: readonly SentArgument[];
  readonly callee: Callee | undefined;
}

interface PendingCall {
  readonly callee: Callee | undefined;
  readonly returned: PromiseWithResolvers<Outcome<unknown>>;
}

/**
 * A thread that has imported a module, until it ends: the module loops, needs too much memory, calls process.exit or throws where nobody catches, or it is
 * not needed any more. It keeps the process from ending only while it is at work.
 */
export class RunningThread {
  readonly #source: ModuleSource;
  readonly #limits: ModuleLimits;
  readonly #onEnd: (error: Error) => void;
  readonly #worker: Worker;
  readonly #imported = Promise.withResolvers<ModuleDescription>();
  readonly #calls = new Map<number, PendingCall>();
  #watch: NodeJS.Timeout | undefined;
  #count = 0;
  /** Pings since the thread answered one. */
  #unanswered = 0;

  /** @param onEnd is told why the thread ended. */
  constructor(source: ModuleSource, limits: ModuleLimits, onEnd: (error: Error) => void) {
    this.#source = source;
    this.#limits = limits;
    this.#onEnd = onEnd;
    const code = `./module-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`;
    this.#worker = new Worker(new URL(code, import.meta.url), {
      name: `module ${source.type}`,
      workerData: source,
      resourceLimits: { maxOldGenerationSizeMb: limits.memoryMiB },
    });
    this.#worker.on('message', (message: FromThread) => this.#take(message));
    this.#worker.on('error', (error) => this.end(this.#crash(error)));
    this.#worker.on('exit', () => this.end(this.#broken('ended its own thread, with process.exit for one')));
    void this.#waitForImport();
  }

  /** Resolves when the module is imported. @throws MalformedModuleError, BrokenModuleError; then the thread has ended. */
  get imported(): Promise<ModuleDescription> {
    return this.#imported.promise;
  }

  /** No function of the module is being called. */
  get idle(): boolean {
    return this.#calls.size === 0;
  }

  /** Calls a function of the module. @throws what the function throws, and BrokenModuleError when the thread ends over it. */
  async call({ path, args, callee }: ModuleCall): Promise<unknown> {
    const call = ++this.#count;
    const returned = Promise.withResolvers<Outcome<unknown>>();
    const abort = (): void => this.#send({ kind: 'abort', call });
    this.#calls.set(call, { callee, returned });
    callee?.signal?.addEventListener('abort', abort);
    const late = { failure: sentError(this.#broken('does not answer')) };
    const timer = setTimeout(() => returned.resolve(late), this.#limits.callTimeoutMs);
    try {
      await this.imported;
      this.#beginWork();
      this.#send({ kind: 'call', call, path, args });
      return receive(await returned.promise);
    } finally {
      clearTimeout(timer);
      callee?.signal?.removeEventListener('abort', abort);
      this.#calls.delete(call);
      if (this.idle) this.#endWork();
    }
  }

  /** Ends the thread; what goes on in it fails with the error. */
  end(error: Error): void {
    this.#endWork();
    this.#worker.removeAllListeners().on('error', () => undefined);
    void this.#worker.terminate();
    this.#imported.reject(error);
    for (const { returned } of this.#calls.values()) returned.resolve({ failure: sentError(error) });
    this.#onEnd(error);
  }

  async #waitForImport(): Promise<void> {
    const { importTimeoutMs } = this.#limits;
    const why = `did not finish loading within ${importTimeoutMs / 1000} s: look for a loop or an await at its top level`;
    const timer = setTimeout(
      () => this.end(new NfioError('BrokenModuleError', { message: `${this.#source.path} ${why}` })),
      importTimeoutMs,
    );
    await this.imported.catch(() => undefined);
    clearTimeout(timer);
    if (this.idle) this.#endWork();
  }

  #beginWork(): void {
    if (this.#watch !== undefined) return;
    this.#worker.ref();
    this.#unanswered = 0;
    this.#watch = setInterval(() => this.#ping(), this.#limits.patienceMs / 2);
  }

  #endWork(): void {
    this.#worker.unref();
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #take(message: FromThread): void {
    if (message.kind === 'pong') this.#unanswered = 0;
    else if (message.kind === 'execute') void this.#execute(message);
    else if (message.kind === 'returned') this.#calls.get(message.call)?.returned.resolve(message.outcome);
    else this.#takeImported(message.outcome);
  }

  #takeImported(outcome: Outcome<ModuleDescription>): void {
    try {
      this.#imported.resolve(receive(outcome));
    } catch (error) {
      this.end(error as Error);
    }
  }

  async #execute({ request, call, where, command }: ExecuteRequest): Promise<void> {
    const outcome = await outcomeOf(async () => {
      const running = this.#calls.get(call)?.callee?.[where]?.(command);
      if (running === undefined) throw this.#broken('runs a program in a guest that was given to a call which is over');
      return await running;
    });
    this.#send({ kind: 'executed', request, outcome });
  }

  #ping(): void {
    const seconds = this.#limits.patienceMs / 1000;
    if (this.#unanswered < 2) this.#send({ kind: 'ping' });
    else this.end(this.#broken(`has not come back for ${seconds} s: look for a loop without an await`));
    this.#unanswered += 1;
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #crash(error: unknown): NfioError {
    if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY')
      return this.#broken(`needs more than ${this.#limits.memoryMiB} MiB`);
    return this.#broken(`threw where nobody catches: ${firstLine(error)}`, error);
  }

  #broken(why: string, cause?: unknown): NfioError {
    return new NfioError('BrokenModuleError', { message: `module ${this.#source.type} ${why}`, cause });
  }
}
