import { type ChainRecord, type HostRecord, type NetworkRecord, type QuotaRecord, recordKey } from '../domain/records.ts';
import type { World } from './world.ts';

/** What failed, in a few words, and where. */
export interface Failure {
  /** Below the mountpoint. */
  readonly path: string;
  /** Of the object whose `error` tells of it, if there is one. */
  readonly serial: number | undefined;
  readonly what: string;
}

/** Keeps how the last operation on an object went: for its `error` file, and a failure in `events` too. */
export class KeptErrors {
  readonly #world: World;
  readonly #publish: (serial: number) => void;
  /** Failures that were told. */
  readonly #told = new WeakSet<object>();

  /** @param publish shows an object as it is now. */
  constructor(world: World, publish: (serial: number) => void) {
    this.#world = world;
    this.#publish = publish;
  }

  /** Keeps the outcome of an operation on a VNF. Rethrows. */
  async ofVnf<T>(serial: number, what: string, operation: () => Promise<T>): Promise<T> {
    const runtime = this.#world.runtime(serial);
    try {
      const result = await operation();
      if (runtime.error !== '') {
        runtime.error = '';
        this.#publish(serial);
      }
      return result;
    } catch (error) {
      const why = this.#take(error);
      runtime.error = sentenceOf(what, why);
      const vnf = this.#world.inventory.vnf(serial);
      if (vnf !== undefined) this.#world.note({ path: recordKey(vnf), what: `${what} failed`, why });
      this.#publish(serial);
      throw error;
    }
  }

  /** Keeps that of one on another object. Rethrows. */
  async ofObject<T>(record: NetworkRecord | HostRecord | QuotaRecord | ChainRecord, what: string, operation: () => Promise<T>): Promise<T> {
    let sentence = '';
    try {
      return await operation();
    } catch (error) {
      const why = this.#take(error);
      sentence = sentenceOf(what, why);
      this.#world.note({ path: recordKey(record), what: `${what} failed`, why });
      throw error;
    } finally {
      this.#world.runtime(record.serial).error = sentence;
      this.#publish(record.serial);
    }
  }

  /**
   * Tells of a failure outside of the operations above, unless one of them told of it: in events, and in the `error` of the object of that serial. Who tries again
   * and again is told once.
   */
  tell({ path, serial, what }: Failure, error: Error): void {
    if (this.#told.has(error)) return;
    const why = this.#take(error);
    const sentence = sentenceOf(what, why);
    const runtime = serial === undefined ? undefined : this.#world.runtime(serial);
    if (runtime?.error === sentence) return;
    this.#world.note({ path, what: `${what} failed`, why });
    if (runtime === undefined || serial === undefined) return;
    runtime.error = sentence;
    this.#publish(serial);
  }

  /** What was told in `error` of something that begins with these words is over. */
  forget(serial: number, beginning: string): void {
    const runtime = this.#world.runtime(serial);
    if (!runtime.error.startsWith(beginning)) return;
    runtime.error = '';
    this.#publish(serial);
  }

  /** The sentence of a failure that is told now. */
  #take(error: unknown): string {
    if (error instanceof Error) this.#told.add(error);
    return oneLine((error as Error).message);
  }

  /**
   * Carries out a write of a copy, which is one of many: its success says nothing of what failed before, so that `error` keeps it, save where it was the same file that
   * failed.
   */
  async throughout(serial: number, path: string, write: () => Promise<void>): Promise<void> {
    const runtime = this.#world.runtime(serial);
    const before = runtime.error;
    await write();
    if (before === '' || before.startsWith(`${path}: `) || runtime.error !== '') return;
    runtime.error = before;
    this.#publish(serial);
  }

  /** Carries out what takes a failed operation back: its success leaves the sentence of that failure. */
  async afterFailure(serial: number, operation: () => Promise<void>): Promise<void> {
    const runtime = this.#world.runtime(serial);
    const failure = runtime.error;
    await operation();
    runtime.error = failure;
    this.#publish(serial);
  }
}

/** Some of what goes wrong with a file begins with its name already. */
function sentenceOf(what: string, why: string): string {
  return why.startsWith(`${what}: `) ? why : `${what}: ${why}`;
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, '; ').trim();
}
