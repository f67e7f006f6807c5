import { type Actor, rootActor } from '../../domain/authority.ts';
import { isInstanceLink, modeOf } from '../../domain/chains/chain-path.ts';
import { instanceOfTarget } from '../../domain/chains/link-target.ts';
import type { Caller } from '../../domain/event.ts';
import type { ChainRecord, HopRecord, LinkRecord, Ownership, VnfRecord } from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';
import { copyConfig } from '../copy-config.ts';
import { type Model, pathOf } from '../model.ts';
import type { PortService } from '../port-service.ts';
import { requireMay, requireNetworks } from '../require.ts';
import type { VnfActions } from '../vnf-actions.ts';
import type { VnfService } from '../vnf-service.ts';
import type { ChainService } from './chain-service.ts';
import { checkSharing } from './sharing.ts';

/** Instances that one hop may have. */
const most = 32;

/** Values of a port that are its own: two ports cannot share them, and what only root allows it allows one of them. */
const ownValues: ReadonlySet<string> = new Set(['address', 'mac', 'spoof']);

/** What replicas are made with. */
export interface ReplicaParts {
  readonly service: ChainService;
  readonly vnfs: VnfService;
  readonly ports: PortService;
  readonly actions: VnfActions;
}

/** What is written to `replicas`, and by whom. */
export interface ReplicaWrite {
  readonly text: string;
  readonly actor: Caller;
  readonly signal: AbortSignal;
}

/** How many instances a hop has: clones of its first one are made and removed. */
export class Replicas {
  readonly #model: Model;
  readonly #parts: ReplicaParts;
  readonly #busy = new Set<number>();

  constructor(model: Model, parts: ReplicaParts) {
    this.#model = model;
    this.#parts = parts;
  }

  /**
   * Writes `replicas` of a hop. Clones run when the first instance does, and are steered to once they do; those made last go first.
   *
   * @throws InvalidValueError (EINVAL) for no number from 1 to 32, for less than there are instances that nobody cloned, or for a type that cannot share a hop; NotFoundError
   *   for a hop without instance; BusyError while it is written already; and what making and starting a VNF throws: then that clone is not there.
   */
  async set(chain: number, hop: number, options: ReplicaWrite): Promise<void> {
    await this.#model.recordObject(this.#chain(chain), 'replicas', async () => {
      const wanted = parseCount(options.text);
      if (wanted > 1) this.#checkSharing(chain, hop);
      if (this.#busy.has(hop)) throw new NfioError('BusyError', { message: 'its replicas are being changed already', retryable: true });
      this.#busy.add(hop);
      try {
        while (this.#links(chain, hop).length < wanted) await this.#add(chain, hop, options);
        while (this.#links(chain, hop).length > wanted) await this.#remove(chain, hop, options);
      } finally {
        this.#busy.delete(hop);
      }
    });
  }

  /** Before anything is made. While its networks are not known, activation finds out. */
  #checkSharing(chain: number, serial: number): void {
    const { settings, ...record } = this.#chain(chain);
    const hop = record.hops.find((each) => each.serial === serial);
    const [ingress, egress] = [settings['ingress'], settings['egress']].map((name) => this.#model.inventory.network(name ?? ''));
    if (hop === undefined || ingress === undefined || egress === undefined) return;
    const { type } = this.#original(chain, serial);
    checkSharing({ name: hop.name, mode: modeOf(hop), type, ingress, egress }, this.#model);
  }

  async #add(chain: number, hop: number, { actor, signal }: ReplicaWrite): Promise<void> {
    const original = this.#original(chain, hop);
    requireMay(actor, 'clone', original);
    requireNetworks(this.#model, actor, original);
    const clone = await this.#clone(original, actor, signal);
    try {
      if (this.#model.state(original) === 'running')
        await this.#parts.actions.act(clone.serial, 'activate', { signal, actor, again: false });
      const { uid, gid } = clone;
      const target = `../../../${pathOf(clone)}`;
      await this.#parts.service.symlink({ chain, hop }, clone.name, { target, owner: { uid, gid, mode: 0o755 }, cloned: true });
      this.#model.note({ path: pathOf(clone), what: 'clone', why: `of ${pathOf(original)}`, by: actor, outcome: 'done' });
    } catch (error) {
      await this.#discard(clone);
      throw error;
    }
  }

  async #remove(chain: number, hop: number, { actor, signal }: ReplicaWrite): Promise<void> {
    const links = this.#links(chain, hop);
    const last = links.findLast((link) => link.settings['cloned'] === 'yes');
    if (last === undefined) {
      throw new NfioError('InvalidValueError', {
        message: `${links.length} of its instances were not made by replicas. Remove their links instead, in the hop: rm NAME`,
      });
    }
    if (signal.aborted) throw new NfioError('InterruptedError', { message: 'interrupted by its caller; what was done by then is counted' });
    const vnf = this.#instance(chain, hop, last);
    if (vnf !== undefined) requireMay(actor, 'discard', vnf);
    await this.#parts.service.unlink({ chain, hop }, last.name);
    if (vnf === undefined) return;
    const owner = this.#model.ownerAt(pathOf(vnf));
    await this.#discard(vnf);
    this.#model.note({ path: pathOf(vnf), what: 'rmdir', by: actor, outcome: 'done' }, owner);
  }

  /** A VNF like another one, with the same values and configuration, under a name that is free. */
  async #clone(original: VnfRecord, actor: Actor, signal: AbortSignal): Promise<VnfRecord> {
    const owner: Ownership = original.ownership[''] ?? { uid: original.uid, gid: original.gid, mode: original.mode };
    const caller = { uid: owner.uid, gid: owner.gid, pid: process.pid };
    const clone = await this.#parts.vnfs.create(original.type, this.#freeName(original), { owner, caller, bare: true });
    try {
      const { store } = this.#model.parts;
      await copyConfig(store.configDir(original), store.configDir(clone));
      for (const [path, text] of Object.entries(original.settings)) await this.#parts.vnfs.set(clone.serial, path, { text, actor, signal });
      for (const { name, settings } of original.ports) {
        const port = await this.#parts.ports.create(clone.serial, name, owner);
        for (const [path, text] of Object.entries(settings)) {
          if (!ownValues.has(path)) await this.#parts.ports.set(port.serial, path, { text, signal });
        }
      }
      return await this.#withOwners(original, clone.serial);
    } catch (error) {
      await this.#discard(clone);
      throw error;
    }
  }

  /** Each file of a clone has the owner of the file that it was made from: what only root may say is only said where root said it. */
  async #withOwners({ ownership }: VnfRecord, serial: number): Promise<VnfRecord> {
    const clone = { ...this.#model.vnf(serial), ownership };
    await this.#model.parts.store.update(clone);
    this.#model.inventory.put(clone);
    await this.#model.publishVnf(serial);
    return clone;
  }

  async #discard({ serial }: VnfRecord): Promise<void> {
    const vnf = this.#model.vnf(serial);
    if (vnf.deployed)
      await this.#parts.actions.act(serial, 'destroy', { signal: new AbortController().signal, actor: rootActor, again: false });
    await this.#parts.vnfs.remove(serial);
  }

  #freeName({ type, name }: VnfRecord): string {
    const base = name.slice(0, 58);
    for (let number = 2; ; number += 1)
      if (this.#model.inventory.vnfNamed(type, `${base}-${number}`) === undefined) return `${base}-${number}`;
  }

  #original(chain: number, hop: number): VnfRecord {
    const [first] = this.#links(chain, hop);
    const vnf = first === undefined ? undefined : this.#instance(chain, hop, first);
    if (vnf !== undefined) return vnf;
    throw new NfioError('NotFoundError', {
      message: 'the hop has no instance to clone. Run: ln -s MOUNTPOINT/nf-types/TYPE/NAME HOP/NAME',
    });
  }

  #instance(chain: number, hop: number, link: LinkRecord): VnfRecord | undefined {
    const record = this.#chain(chain);
    const directory = `chns/${record.name}/${this.#hop(record, hop).name}`;
    const found = instanceOfTarget(link.target, { directory, mountpoint: this.#model.parts.mountpoint });
    return found === undefined ? undefined : this.#model.inventory.vnfNamed(found.type, found.name);
  }

  #links(chain: number, hop: number): LinkRecord[] {
    return this.#hop(this.#chain(chain), hop).links.filter(isInstanceLink);
  }

  #chain(serial: number): ChainRecord {
    const chain = this.#model.inventory.chain(serial);
    if (chain === undefined) throw new NfioError('NotFoundError', { message: 'the service chain has been removed' });
    return chain;
  }

  #hop(chain: ChainRecord, serial: number): HopRecord {
    const hop = chain.hops.find((each) => each.serial === serial);
    if (hop === undefined) throw new NfioError('NotFoundError', { message: 'the hop has been removed' });
    return hop;
  }
}

function parseCount(text: string): number {
  const count = /^\d{1,2}$/.test(text.trim()) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new NfioError('InvalidValueError', { message: `replicas "${text.trim().slice(0, 80)}" is not a number from 1 to ${most}` });
}
