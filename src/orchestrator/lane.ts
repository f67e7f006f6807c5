/** Runs tasks one after another. A task that fails does not stop the next. */
export class Lane {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a task when all before it are done; resolves or rejects as it does. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
