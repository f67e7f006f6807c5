import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { WriterReply, WriterRequest, WriterWork } from './change-writer.ts';
import { stateWriteError } from './durable-file.ts';
import type { JournalEntry } from './journal-entry.ts';
import type { WriterData } from './writer-thread.ts';

/** What waits for a change. */
interface Waiting {
  /** Of the object below the root. */
  readonly key: string;
  /** True when all that was asked for before is durable, too, once this is done. */
  readonly makesDurable: boolean;
  readonly done: PromiseWithResolvers<void>;
}

/** Durable writes, in the order in which they are asked for, in a thread of their own: they wait for the disk, and are many system calls each. */
export class Writer implements AsyncDisposable {
  readonly #root: string;
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  /** The last change that did not wait until it was durable, and the last request up to which all is. */
  #lastMade = 0;
  #durableUpTo = 0;
  #failure: Error | undefined;

  constructor(root: string) {
    const { port1, port2 } = new MessageChannel();
    const module = `./writer-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`;
    const workerData: WriterData = { root, port: port2 };
    this.#root = root;
    this.#port = port1;
    this.#worker = new Worker(new URL(module, import.meta.url), { workerData, transferList: [port2] });
    this.#worker.unref();
    this.#port.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#port.unref();
  }

  /**
   * Resolves when the change is durable; `durable: false`: when it is made, which is durable a moment later, and before any change after it.
   *
   * @throws StateWriteError with the errno of the step that failed; nothing has changed then.
   */
  async run(entry: JournalEntry, { durable = true, before }: { readonly durable?: boolean; readonly before?: string } = {}): Promise<void> {
    await this.#send({ kind: 'change', entry, durable, before });
  }

  /** Resolves when all that was changed is durable. @throws StateWriteError */
  async sync(): Promise<void> {
    if (this.#lastMade > this.#durableUpTo) await this.#send({ kind: 'sync' });
  }

  #send(work: WriterWork): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(stateWriteError(this.#root, this.#failure));
    this.#count += 1;
    const key = work.kind === 'change' ? work.entry.key : '';
    const makesDurable = work.kind !== 'change' || work.durable;
    const waiting = { key, makesDurable, done: Promise.withResolvers<void>() };
    this.#waiting.set(this.#count, waiting);
    if (!makesDurable) this.#lastMade = this.#count;
    const request: WriterRequest = { id: this.#count, work };
    this.#port.ref();
    this.#port.postMessage(request);
    return waiting.done.promise;
  }

  #settle({ id, code }: WriterReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#port.unref();
    if (code === undefined && waiting?.makesDurable) this.#durableUpTo = Math.max(this.#durableUpTo, id);
    if (code === undefined) waiting?.done.resolve();
    else waiting?.done.reject(stateWriteError(join(this.#root, waiting.key), { code }));
  }

  /** The thread ended: what waits for it cannot have been done, and nothing can be from now on. */
  #fail(error: Error): void {
    this.#failure = error;
    for (const { key, done } of this.#waiting.values()) done.reject(stateWriteError(join(this.#root, key), error));
    this.#waiting.clear();
  }

  /** Leaves the journal empty: a root at rest is plain files and nothing else. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#send({ kind: 'rest' }).catch(() => undefined);
    this.#port.close();
    await this.#worker.terminate();
  }
}
