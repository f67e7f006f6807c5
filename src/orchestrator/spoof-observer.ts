import { portPath } from '../domain/addressing.ts';
import { idOf, type PortRecord, type VnfRecord } from '../domain/records.ts';
import { wantedPorts } from './guest-spec.ts';
import { type Model, pathOf } from './model.ts';

/** Tells of ports whose guests send in the name of others: once for each port, until something of the port changes. */
export class SpoofObserver {
  readonly #model: Model;
  /** What was told of, by serial. */
  readonly #told = new Map<number, PortRecord>();
  /** Why ports are not guarded, as it was told last. */
  #toldWhy = '';

  constructor(model: Model) {
    this.#model = model;
    model.parts.network.onSpoofed((failure) => (failure === undefined ? void this.#look() : this.#tellUnguarded(failure)));
  }

  /** Guards the ports of all guests that an earlier process left. */
  async recover(): Promise<void> {
    const deployed = [...this.#model.inventory.vnfs()].filter((vnf) => this.#model.surroundings.runs(vnf));
    await this.#model.parts.network.guard(deployed.flatMap((vnf) => wantedPorts(this.#model, vnf))).catch((error: Error) => {
      this.#tellUnguarded(error);
    });
  }

  async #look(): Promise<void> {
    const ports = [...this.#model.inventory.vnfs()].flatMap((vnf) => vnf.ports.map((port) => ({ vnf, port })));
    const fresh = ports.filter(({ port }) => this.#told.get(port.serial) !== port);
    const counts = await this.#model.parts.network
      .spoofed(fresh.map(({ port }) => idOf(port.serial)))
      .catch(() => new Map<string, number>());
    for (const placed of fresh) if ((counts.get(idOf(placed.port.serial)) ?? 0) > 0) this.#tell(placed);
  }

  #tell({ vnf, port }: { readonly vnf: VnfRecord; readonly port: PortRecord }): void {
    this.#told.set(port.serial, port);
    const path = `${pathOf(vnf)}/ports/${port.name}`;
    this.#model.parts.events.add({
      path,
      what: 'spoofed',
      why: `frames from ${portPath({ vnf, port })} were dropped: they claimed a MAC or IP address that is not the port's own, answered DHCP, or advertised a router. How many: cat ${path}/spoofed. Give it the address, or name a server in trusted of its network. To let it send whatever it likes, run as root: echo on > ${path}/spoof`,
    });
  }

  #tellUnguarded(failure: Error): void {
    const why = `ports are not guarded, and guests can send in the name of others: ${failure.message}. See what is missing. Run: nfio doctor`;
    if (why === this.#toldWhy) return;
    this.#toldWhy = why;
    this.#model.parts.events.add({ path: 'networks', what: 'unguarded', why });
    this.#model.parts.logger.warn(why);
  }
}
