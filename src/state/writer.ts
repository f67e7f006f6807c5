import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { stateWriteError } from './durable-file.ts';
import type { WriterReply, WriterRequest, WriterTask } from './writer-thread.ts';

/** What waits for a task. */
interface Waiting {
  readonly path: string;
  readonly done: PromiseWithResolvers<void>;
}

/** Durable writes, in a thread of their own: they wait for the disk, and are many system calls each. */
export class Writer implements AsyncDisposable {
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    const module = `./writer-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`;
    this.#port = port1;
    this.#worker = new Worker(new URL(module, import.meta.url), { workerData: { port: port2 }, transferList: [port2] });
    this.#worker.unref();
    this.#port.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#port.unref();
  }

  /** Resolves when the change is durable. @throws StateWriteError with the errno of the step that failed; nothing has changed then. */
  run(task: WriterTask): Promise<void> {
    this.#count += 1;
    const waiting = { path: task.kind === 'replace' ? task.path : task.directory.target, done: Promise.withResolvers<void>() };
    this.#waiting.set(this.#count, waiting);
    const request: WriterRequest = { id: this.#count, task };
    this.#port.ref();
    this.#port.postMessage(request);
    return waiting.done.promise;
  }

  #settle({ id, code }: WriterReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#port.unref();
    if (code === undefined) waiting?.done.resolve();
    else waiting?.done.reject(stateWriteError(waiting.path, { code }));
  }

  /** The thread ended: what waits for it cannot have been done. */
  #fail(error: Error): void {
    for (const { path, done } of this.#waiting.values()) done.reject(stateWriteError(path, error));
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }
}
