import type { NetworkSetup } from '../../domain/ports/network.ts';
import type { Flow, ProbeMark } from '../../domain/ports/steering.ts';
import { Lane } from '../lane.ts';

/** What is known of a service chain besides its record; gone when the process ends. */
export interface ChainRuntime {
  /** Changes to the service chain run here one after another. */
  readonly lane: Lane;
  /** What makes guests hops of it, by the serial of the VNF, as they were told. */
  readonly setups: Map<number, NetworkSetup>;
  /** Guests, by the serial of the VNF, that nothing is sent through until they have been made hops: they were ended, and may run again by now. */
  readonly unready: Set<number>;
  /** Hops that were dead when it was last looked, by serial. */
  readonly dead: Set<number>;
  /** Text of the last `next` of hops that lost it: a hop that is removed piece by piece is cut out of the chain with it. */
  readonly lastNext: Map<number, string>;
  /** Special files that their owner removed, on the way to removing the whole, by the serial of the hop or of the chain. */
  readonly hidden: Map<number, Set<string>>;
  /**
   * Why traffic of the active service chain is not steered as its files say, in words, and how its hops were read then; empty words when it is. undefined: not
   * known yet.
   */
  behind: { readonly why: string; readonly unreached: 'wrong' | 'left out' } | undefined;
  /** The flow that is traced, under a name that no other trace has or had. */
  traced: { readonly name: string; readonly flow: Flow } | undefined;
  traces: number;
  /** Probes that are under way. */
  probe: ProbeMark | undefined;
  /** What the last probes have shown; empty when none were sent. */
  verify: string;
  latency: string;
}

/** The runtimes of all service chains, by serial. */
export class ChainRuntimes {
  readonly #known = new Map<number, ChainRuntime>();

  of(serial: number): ChainRuntime {
    let runtime = this.#known.get(serial);
    if (runtime === undefined) {
      const watched = { behind: undefined, traced: undefined, traces: 0, probe: undefined, verify: '', latency: '' };
      const guests = { setups: new Map(), unready: new Set<number>(), dead: new Set<number>() };
      runtime = { lane: new Lane(), ...guests, lastNext: new Map(), hidden: new Map(), ...watched };
      this.#known.set(serial, runtime);
    }
    return runtime;
  }

  forget(serial: number): void {
    this.#known.delete(serial);
  }
}
