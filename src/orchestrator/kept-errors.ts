import { type ChainRecord, type HostRecord, type NetworkRecord, type QuotaRecord, recordKey } from '../domain/records.ts';
import { errorOf } from './runtime.ts';
import type { World } from './world.ts';

/** What failed, in a few words, and where. */
export interface Failure {
  /** Below the mountpoint. */
  readonly path: string;
  /** Of the object whose `error` tells of it, if there is one. */
  readonly serial: number | undefined;
  readonly what: string;
}

/** What `events` are to tell of a failure. */
export interface Told {
  readonly path: string;
  readonly what: string;
  readonly why: string;
}

/** Keeps how the last operation on an object went, for its `error` file. Of a failure `events` tell too: that is left to who knows who asked, by `take`. */
export class KeptErrors {
  readonly #world: World;
  readonly #publish: (serial: number) => void;
  /** What was thrown and is told in `error`, with what events have to tell of it yet. */
  readonly #failures = new WeakMap<object, Told[]>();

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
      if (errorOf(runtime) !== '') {
        runtime.error = '';
        runtime.unreadable.clear(); // it may be another's doing now, and is told again if not
        this.#publish(serial);
      }
      return result;
    } catch (error) {
      const vnf = this.#world.inventory.vnf(serial);
      const why = this.#fails(error, vnf === undefined ? undefined : { path: recordKey(vnf), what });
      runtime.error = sentenceOf(what, why);
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
      sentence = sentenceOf(what, this.#fails(error, { path: recordKey(record), what }));
      throw error;
    } finally {
      this.#world.runtime(record.serial).error = sentence;
      this.#publish(record.serial);
    }
  }

  /** Keeps a failure outside of the operations above, unless one of them kept it: in the `error` of the object of that serial. */
  tell({ path, serial, what }: Failure, error: Error): void {
    if (this.#failures.has(error)) return;
    const why = this.#fails(error, { path, what });
    if (serial !== undefined) this.#show(serial, sentenceOf(what, why));
  }

  /** What cannot be read of an object: `error` tells while nothing else failed, and `events` once while it fails alike, whoever tries it how often. */
  cannotRead({ path, serial, what }: Failure & { readonly serial: number }, error: Error): void {
    const { unreadable } = this.#world.runtime(serial);
    const why = oneLine(error.message);
    const sentence = sentenceOf(what, why);
    if (unreadable.get(what) === sentence) return;
    unreadable.set(what, sentence);
    this.#world.note({ path, what: `${what} failed`, why });
    this.#publish(serial);
  }

  /** It can be read again. */
  canRead(serial: number, what: string): void {
    if (this.#world.runtime(serial).unreadable.delete(what)) this.#publish(serial);
  }

  /**
   * What `events` are to tell of what was thrown, and of what it was caused by: told once, by who takes it.
   *
   * @returns undefined for what was not kept here.
   */
  take(error: unknown): readonly Told[] | undefined {
    if (!(error instanceof Error)) return undefined;
    const told = this.#failures.get(error);
    if (told !== undefined) this.#failures.set(error, []);
    const causes = this.take(error.cause);
    return told === undefined ? causes : [...(causes ?? []), ...told];
  }

  /** What was told in `error` of something that begins with these words is over. */
  forget(serial: number, beginning: string): void {
    const runtime = this.#world.runtime(serial);
    if (!runtime.error.startsWith(beginning)) return;
    runtime.error = '';
    this.#publish(serial);
  }

  /** Keeps what is to be told of a failure. @returns its sentence. */
  #fails(error: unknown, failure: Omit<Told, 'why'> | undefined): string {
    const why = oneLine((error as Error).message);
    if (error instanceof Error)
      this.#failures.set(error, [...(this.#failures.get(error) ?? []), ...(failure === undefined ? [] : [{ ...failure, why }])]);
    return why;
  }

  #show(serial: number, sentence: string): void {
    const runtime = this.#world.runtime(serial);
    if (runtime.error === sentence) return;
    runtime.error = sentence;
    this.#publish(serial);
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
