import type { Fabric } from './fabric.ts';
import { CounterReader } from './steering/counter-reader.ts';

/**
 * Whose turn it is to change the nft rules of a fabric, and whether someone else has changed them: the kernel counts changes of all tables together, and nf.io
 * has two of them.
 */
export class FabricRules implements AsyncDisposable {
  readonly reader: CounterReader;
  /** False on a machine that cannot guard ports: nothing may be left to that then. */
  canGuard = true;
  readonly #fabric: Fabric;
  /** The kernel's count after our last change; undefined: nobody has asked for it. */
  #generation: number | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
    this.reader = new CounterReader(fabric.mountId);
  }

  /** One change after another. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** True when someone else has changed rules since `noteOwn`. */
  async isChanged(): Promise<boolean> {
    return this.#generation !== undefined && (await this.#fabric.exists()) && (await this.#current()) !== this.#generation;
  }

  /** The rules are as nf.io made them. Where that cannot be asked, changes of others are not noticed until the next time. */
  async noteOwn(): Promise<void> {
    this.#generation = await this.#current().catch(() => undefined);
  }

  /** Makes a change that whoever looks for those of others shall not take for one. Call it alone. */
  async own<T>(change: () => Promise<T>): Promise<T> {
    const changed = await this.isChanged();
    const result = await change();
    if (this.#generation !== undefined && !changed) await this.noteOwn();
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader[Symbol.asyncDispose]();
  }

  #current(): Promise<number> {
    return this.reader.generation(this.#fabric.netnsPath);
  }
}
