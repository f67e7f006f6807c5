import { type ChainRecord, type HostRecord, type NetworkRecord, recordKey } from '../domain/records.ts';
import type { World } from './world.ts';

/** Keeps how the last operation on an object went: for its `error` file, and a failure in `events` too. */
export class KeptErrors {
  readonly #world: World;
  readonly #publish: (serial: number) => void;

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
      const why = oneLine((error as Error).message);
      runtime.error = `${what}: ${why}`;
      const vnf = this.#world.inventory.vnf(serial);
      if (vnf !== undefined) this.#world.parts.events.add({ path: recordKey(vnf), what: `${what} failed`, why });
      this.#publish(serial);
      throw error;
    }
  }

  /** Keeps that of one on a network, a host or a service chain. Rethrows. */
  async ofObject<T>(record: NetworkRecord | HostRecord | ChainRecord, what: string, operation: () => Promise<T>): Promise<T> {
    let sentence = '';
    try {
      return await operation();
    } catch (error) {
      const why = oneLine((error as Error).message);
      sentence = `${what}: ${why}`;
      this.#world.parts.events.add({ path: recordKey(record), what: `${what} failed`, why });
      throw error;
    } finally {
      this.#world.runtime(record.serial).error = sentence;
      this.#publish(record.serial);
    }
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
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, '; ').trim();
}
