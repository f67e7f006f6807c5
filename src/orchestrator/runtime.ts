import type { ModuleFileAttributes } from '../domain/middlebox.ts';
import type { PastCounters } from '../domain/ports/hypervisor.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { Lane } from './lane.ts';

/** What is known of a VNF, a network, a host or a service chain besides its record; gone when the process ends. */
export interface Runtime {
  /** The last failed operation in one line; empty after a success. */
  error: string;
  /** What could not be read of it, a sentence each, by what was tried. */
  readonly unreadable: Map<string, string>;
  /** Special files that their owner removed, by path below the object. */
  readonly hidden: Set<string>;
  /** Of a VNF that is not deployed: a copy of a virtual machine was put back, with what only a deployed one has. */
  hasDomain: boolean;
  /** Of a VNF: changes to it run here one after another: settings, ports, verbs. */
  readonly lane: Lane;
  /** The verb that runs now on a VNF. */
  busy: string | undefined;
  ip: string;
  id: string;
  /** What the getattr hook of its module said of the module's files, by path. */
  readonly fileAttributes: Map<string, ModuleFileAttributes>;
  /** Why it did not say so, by path. */
  readonly attributeFailures: Map<string, string>;
  /** Ports as the driver was last told. */
  applied: readonly PortSpec[];
  /** What interfaces of its guest counted that were removed while it runs; undefined: none was. */
  past: PastCounters | undefined;
}

/** What `error` shows: how the last operation failed, or else what cannot be read now. */
export function errorOf({ error, unreadable }: Runtime): string {
  const [first = ''] = unreadable.values();
  return error === '' ? first : error;
}

/** The runtimes of all objects, by serial. */
export class Runtimes {
  readonly #known = new Map<number, Runtime>();

  of(serial: number): Runtime {
    let runtime = this.#known.get(serial);
    if (runtime === undefined) {
      runtime = {
        error: '',
        unreadable: new Map(),
        hidden: new Set(),
        hasDomain: false,
        lane: new Lane(),
        busy: undefined,
        ip: '',
        id: '',
        fileAttributes: new Map(),
        attributeFailures: new Map(),
        applied: [],
        past: undefined,
      };
      this.#known.set(serial, runtime);
    }
    return runtime;
  }

  forget(serial: number): void {
    this.#known.delete(serial);
  }
}
