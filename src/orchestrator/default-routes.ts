import { choiceOn, unclearRoute } from '../domain/default-routes.ts';
import type { NetworkRecord } from '../domain/records.ts';
import type { LivePorts } from './live-ports.ts';
import type { Model } from './model.ts';

/**
 * Keeps the routes of hosts in step with the VNFs that forward on their networks, and with service chains where nothing does: what starts gives them, what ends takes
 * them, and a choice that is not clear is told in `error` of the network and in `events`.
 */
export class DefaultRoutes {
  readonly #model: Model;
  readonly #live: LivePorts;
  /** What was chosen, and what was told of it, by the serial of the network. */
  readonly #known = new Map<number, { readonly choice: string; readonly unclear: string }>();

  /** False until all is known that there is. */
  #recovered = false;

  constructor(model: Model, live: LivePorts) {
    this.#model = model;
    this.#live = live;
  }

  /**
   * At the start: what earlier servers chose is not known. Guests are taken to have the routes that everything deployed would give them, and are told otherwise where some
   * of it does not run.
   */
  async recover(signal: AbortSignal): Promise<void> {
    this.#recovered = true;
    for (const network of this.#model.inventory.networks()) {
      this.#look(network);
      const forwarders = this.#model.deployedPorts(network.name).filter(({ vnf }) => this.#model.forwards(vnf.type));
      if (forwarders.every(({ vnf }) => this.#model.surroundings.runs(vnf))) continue;
      await this.#live.applyToNetworks([network.name], { except: undefined, signal });
    }
  }

  /** A VNF may run now, or may have ended. Not to be called from the lane of a VNF. */
  async vnfChanged(serial: number, signal: AbortSignal): Promise<void> {
    const vnf = this.#model.inventory.vnf(serial);
    // What it is between the steps of a verb is of no interest: the end of the verb is told too.
    if (vnf === undefined || this.#model.runtime(serial).busy !== undefined || !this.#model.forwards(vnf.type)) return;
    const names = new Set(vnf.ports.map(({ settings }) => settings['network'] ?? ''));
    const changed = [...names].filter((name) => this.#hasChanged(name));
    await this.#live.applyToNetworks(changed, { except: serial, signal });
  }

  /** Service chains between networks, or what is on these, may lead elsewhere now: hosts follow. Not to be called from the lane of a VNF. */
  async chainsChanged(names: Iterable<string>, signal: AbortSignal): Promise<void> {
    const changed = [...names].filter((name) => this.#hasChanged(name));
    await this.#live.applyToNetworks(changed, { except: undefined, signal });
  }

  /** Ports on networks have changed, and hosts have been told: tells whether the choice is clear. */
  portsChanged(names: Iterable<string>): void {
    for (const name of names) this.#hasChanged(name);
  }

  /** Looks who forwards on a network now. @returns whether that is another than before. */
  #hasChanged(name: string): boolean {
    const network = this.#model.inventory.network(name);
    return network !== undefined && this.#recovered && this.#look(network);
  }

  #look(network: NetworkRecord): boolean {
    const before = this.#known.get(network.serial);
    const { surroundings } = this.#model;
    const ways = ([4, 6] as const).map((family) => surroundings.chainWays(network, family).join(' ')).join('; ');
    const now = { choice: `${choiceOn(network, surroundings)} by service chains ${ways}`, unclear: unclearRoute(network, surroundings) };
    this.#known.set(network.serial, now);
    if (now.unclear !== (before?.unclear ?? '')) {
      if (now.unclear !== '') this.#model.note({ path: `networks/${network.name}`, what: 'default route unclear', why: now.unclear });
      this.#model.publishNetwork(network);
    }
    return now.choice !== before?.choice;
  }
}
