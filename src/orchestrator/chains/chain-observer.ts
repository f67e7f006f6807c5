import { ChainReader, isInstanceLink, modeOf } from '../../domain/chains/chain-path.ts';
import { instanceOfTarget } from '../../domain/chains/link-target.ts';
import { pathText } from '../../domain/chains/path-text.ts';
import { endsOf } from '../../domain/chains/steering-plan.ts';
import type { ChainObservation } from '../../domain/observation.ts';
import type { AppliedChain, ChainRecord, HopRecord } from '../../domain/records.ts';
import type { Model } from '../model.ts';
import type { ChainHealth } from './chain-health.ts';
import { chainSurroundings } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';

/** Finds out what the tree shows of service chains. */
export class ChainObserver {
  readonly #model: Model;
  readonly #runtimes: ChainRuntimes;
  readonly #health: ChainHealth;

  constructor(model: Model, runtimes: ChainRuntimes, health: ChainHealth) {
    this.#model = model;
    this.#runtimes = runtimes;
    this.#health = health;
  }

  observe(chain: ChainRecord): ChainObservation {
    const { verify, latency, hidden: removed } = this.#runtimes.of(chain.serial);
    const hidden = [...removed].map(([serial, paths]) => [serial, [...paths]] as const);
    return {
      state: this.#health.state(chain),
      error: this.#error(chain),
      path: chain.applied === undefined ? this.#wantedPath(chain) : this.#appliedPath(chain.applied),
      verify,
      latency,
      hidden: new Map(hidden),
    };
  }

  /** A VNF was made, removed or renamed: service chains with a link to one of that name may be right or wrong now. */
  vnfNamed(type: string, name: string): void {
    const end = `${type}/${name}`;
    for (const chain of this.#model.inventory.chains()) {
      const links = chain.hops.flatMap((hop) => hop.links);
      if (links.some(({ target }) => target.replace(/\/+$/, '').endsWith(end))) this.#model.publishChain(chain.serial);
    }
  }

  /** The like for a network, which may have got a subnet too. */
  networkNamed(name: string): void {
    for (const { serial, settings } of this.#model.inventory.chains()) {
      if (settings['ingress'] === name || settings['egress'] === name) this.#model.publishChain(serial);
    }
  }

  #error(chain: ChainRecord): string {
    const trouble = this.#health.trouble(chain);
    if (trouble !== '') return trouble;
    try {
      new ChainReader(chain, chainSurroundings(this.#model)).read();
      const behind = chain.applied === undefined ? '' : (this.#runtimes.of(chain.serial).behind?.why ?? '');
      return behind === '' ? '' : `${behind}. Until then traffic goes as path says`;
    } catch (error) {
      const { message } = error as Error;
      return chain.applied === undefined ? message : `${message}. Until then traffic goes as path says`;
    }
  }

  #wantedPath(chain: ChainRecord): string {
    const hops = new ChainReader(chain, chainSurroundings(this.#model)).orderSoFar();
    const { ingress = '', egress = '' } = chain.settings;
    return pathText(
      { ingress, egress },
      hops.map((hop) => ({ instances: this.#names(chain, hop), mirror: modeOf(hop) === 'mirror' })),
    );
  }

  #names(chain: ChainRecord, hop: HopRecord): string[] {
    const place = { directory: `chns/${chain.name}/${hop.name}`, mountpoint: this.#model.parts.mountpoint };
    return hop.links.filter(isInstanceLink).map(({ target }) => instanceOfTarget(target, place)?.name ?? '?');
  }

  #appliedPath(applied: AppliedChain): string {
    const ends = endsOf(applied, this.#model.inventory.networks());
    const hops = applied.hops.map(({ instances, mode }) => ({
      instances: instances.map(({ vnf }) => this.#model.inventory.vnf(vnf)?.name ?? '?'),
      mirror: mode === 'mirror',
    }));
    return pathText({ ingress: ends?.ingress.name ?? '', egress: ends?.egress.name ?? '' }, hops);
  }
}
