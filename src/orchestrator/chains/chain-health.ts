import type { ChainState } from '../../domain/chains/chain-lifecycle.ts';
import { admits, commonFamilies } from '../../domain/chains/families.ts';
import { endsOf } from '../../domain/chains/steering-plan.ts';
import type { AppliedChain, AppliedHop, ChainRecord } from '../../domain/records.ts';
import { type Model, pathOf } from '../model.ts';
import { mayRunHere } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';

/** Tells how active service chains do: in a word, in a sentence, and in `events` when it changes. */
export class ChainHealth {
  readonly #model: Model;
  readonly #runtimes: ChainRuntimes;

  constructor(model: Model, runtimes: ChainRuntimes) {
    this.#model = model;
    this.#runtimes = runtimes;
  }

  /** How a service chain does. */
  state({ serial, applied }: ChainRecord): ChainState {
    if (applied === undefined) return 'inactive';
    return this.#obstacle(applied) === '' && applied.hops.every((hop) => this.#alive(serial, hop) === hop.instances.length)
      ? 'active'
      : 'degraded';
  }

  /** What is wrong with an active service chain, in words; empty when nothing is. */
  trouble({ serial, applied }: ChainRecord): string {
    if (applied === undefined) return '';
    const obstacle = this.#obstacle(applied);
    if (obstacle !== '') return obstacle;
    for (const hop of applied.hops) {
      const down = hop.instances.find(({ vnf }) => !this.#isAlive(serial, vnf));
      if (down === undefined) continue;
      const which = this.#whatIsWrong(down.vnf);
      if (this.#alive(serial, hop) > 0) return `hop ${hop.name}: ${which}; the others have its share`;
      if (hop.mode === 'mirror') return `hop ${hop.name}: ${which}; nobody gets its copies`;
      const what =
        applied.failure === 'open' ? 'traffic goes around it (policy/failure is open)' : 'traffic stops there (policy/failure is closed)';
      return `hop ${hop.name}: ${which}; ${what}`;
    }
    return '';
  }

  /** Why no traffic is steered at all, in words; empty when some can be. */
  #obstacle(applied: AppliedChain): string {
    const ends = endsOf(applied, this.#model.inventory.networks());
    if (ends === undefined) return 'one of its networks is gone: traffic is not steered';
    if (commonFamilies(ends.ingress, ends.egress).some((family) => admits(applied.match, family))) return '';
    return 'its networks have no subnets of one version of IP that it matches: traffic is not steered';
  }

  /** Tells what became of hops since it was last looked, in `events` and in the tree. */
  look(serial: number): void {
    const chain = this.#model.inventory.chain(serial);
    if (chain === undefined) return;
    const { dead } = this.#runtimes.of(serial);
    const { applied } = chain;
    for (const hop of applied?.hops ?? []) {
      const path = `chns/${chain.name}/${hop.name}`;
      if (this.#alive(serial, hop) > 0) {
        if (dead.delete(hop.serial)) this.#model.note({ path, what: 'back' });
      } else if (!dead.has(hop.serial)) {
        dead.add(hop.serial);
        const what = applied?.failure === 'open' && hop.mode !== 'mirror' ? 'bypassed' : 'dead';
        this.#model.note({ path, what, why: this.trouble(chain) });
      }
    }
    this.#model.publishChain(serial);
  }

  /** How many instances of a hop packets of a service chain can pass. */
  #alive(chain: number, hop: AppliedHop): number {
    return hop.instances.filter(({ vnf }) => this.#isAlive(chain, vnf)).length;
  }

  #isAlive(chain: number, serial: number): boolean {
    const vnf = this.#model.inventory.vnf(serial);
    return vnf !== undefined && mayRunHere(this.#model, vnf) && !this.#runtimes.of(chain).unready.has(serial);
  }

  /** Why nothing passes an instance of a hop. */
  #whatIsWrong(serial: number): string {
    const vnf = this.#model.inventory.vnf(serial);
    if (vnf === undefined) return 'its instance has been removed';
    return `${pathOf(vnf)} is ${mayRunHere(this.#model, vnf) ? 'not ready to pass packets on' : this.#model.state(vnf)}`;
  }
}
