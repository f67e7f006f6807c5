import type { Actor } from '../domain/authority.ts';
import type { HookCaller, Middlebox } from '../domain/middlebox.ts';
import { checkName } from '../domain/names.ts';
import { promisedTo } from '../domain/quotas.ts';
import type { Ownership, VnfRecord } from '../domain/records.ts';
import { parseSetting, vnfSettings } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import type { ChainFollower } from './chains/chain-follower.ts';
import { wantedLimits } from './guest-spec.ts';
import type { HiddenFiles } from './hidden-files.ts';
import { hookInstance } from './hook-instance.ts';
import { type Model, pathOf } from './model.ts';
import { requireRoom } from './room.ts';

/** How to make a VNF. */
export interface NewVnf {
  readonly owner: Ownership;
  readonly caller: HookCaller;
  /** Without the default configuration: a program that copies an instance brings its own, and insists on new files. */
  readonly bare: boolean;
}

/** What is written to a file of machine/, and by whom. */
export interface VnfSetting {
  readonly text: string;
  readonly actor: Actor;
  readonly signal: AbortSignal;
}

/** Makes, changes, renames and removes VNFs. */
export class VnfService {
  readonly #model: Model;
  readonly #chains: ChainFollower;
  readonly #hidden: HiddenFiles;
  readonly #making = new Set<string>();

  constructor(model: Model, chains: ChainFollower, hidden: HiddenFiles) {
    this.#model = model;
    this.#chains = chains;
    this.#hidden = hidden;
  }

  /** mkdir nf-types/TYPE/NAME. @throws InvalidNameError, BusyError (EEXIST), and what the module's hook throws. */
  async create(type: string, name: string, options: NewVnf): Promise<VnfRecord> {
    checkName('VNF', name);
    this.#reserve(type, name);
    try {
      // Loaded anew where its file changed: a user who mends a module needs no restart.
      await this.#model.loadMiddlebox(type);
      const middlebox = this.#model.middlebox(type);
      const record: VnfRecord = {
        kind: 'vnf',
        ...this.#model.newObject(options.owner),
        type,
        name,
        ports: [],
        deployed: false,
        placement: undefined,
        inconsistent: false,
      };
      await this.#add(record, middlebox, options);
      try {
        await middlebox.hooks?.mkdir?.(hookInstance(this.#model, record, new AbortController().signal), options.caller);
      } catch (error) {
        await this.#discard(record);
        this.#model.tell({ path: pathOf(record), serial: undefined, what: 'mkdir' }, error as Error);
        throw error;
      }
      await this.#model.publishVnf(record.serial);
      await this.#chains.vnfNamed(type, name);
      return record;
    } finally {
      this.#making.delete(`${type}/${name}`);
    }
  }

  /** Counts for its owner from before it is on disk: any number may be made at once. */
  async #add(record: VnfRecord, { configuration }: Middlebox, { owner, bare }: NewVnf): Promise<void> {
    requireRoom(this.#model, owner.uid, record, { vnfs: 1 });
    this.#model.inventory.put(record);
    try {
      await this.#model.parts.store.create(record, configuration === undefined || bare ? {} : { nf_conf: configuration.default });
    } catch (error) {
      this.#model.inventory.remove(record);
      throw error;
    }
  }

  #reserve(type: string, name: string): void {
    const key = `${type}/${name}`;
    if (this.#making.has(key) || this.#model.inventory.vnfNamed(type, name) !== undefined) {
      throw new NfioError('BusyError', { message: `${key} exists already`, errno: 'EEXIST' });
    }
    this.#making.add(key);
  }

  async #discard(record: VnfRecord): Promise<void> {
    await this.#model.parts.store.remove(record);
    this.#model.inventory.remove(record);
    this.#model.withdraw(record.serial);
  }

  /** rmdir of an instance. @throws BusyError while it is deployed, or a verb is under way. */
  async remove(serial: number): Promise<void> {
    const removed = await this.#model.recordVnf(serial, 'rmdir', () =>
      this.#model.runtime(serial).lane.run(async () => {
        const vnf = this.#idle(serial, 'removed');
        await this.#discard(vnf);
        return vnf;
      }),
    );
    await this.#chains.vnfNamed(removed.type, removed.name);
  }

  /** unlink or rmdir of a special file of an instance: on the way to removing the whole, or to making it again. @throws BusyError while it is deployed. */
  hide(serial: number, path: string): void {
    const vnf = this.#model.vnf(serial);
    if (vnf.deployed) {
      const message = `${path} belongs to a VNF that is deployed. Run: echo destroy > ${pathOf(vnf)}/action && rmdir ${pathOf(vnf)}`;
      throw new NfioError('BusyError', { message });
    }
    this.#hidden.hide(serial, path);
  }

  /** mv of an instance within its type. */
  async rename(serial: number, name: string): Promise<void> {
    const { type, name: before } = this.#model.vnf(serial);
    await this.#model.recordVnf(serial, 'mv', () => this.#model.runtime(serial).lane.run(() => this.#rename(serial, name)));
    for (const each of [before, name]) await this.#chains.vnfNamed(type, each);
  }

  async #rename(serial: number, name: string): Promise<void> {
    checkName('VNF', name);
    const vnf = this.#idle(serial, 'renamed');
    this.#reserve(vnf.type, name);
    try {
      const renamed = { ...vnf, name };
      await this.#model.parts.store.rename(vnf, renamed);
      this.#model.inventory.put(renamed);
      this.#model.publishVnf(serial);
    } finally {
      this.#making.delete(`${vnf.type}/${name}`);
    }
  }

  #idle(serial: number, change: string): VnfRecord {
    const vnf = this.#model.vnf(serial);
    const runtime = this.#model.runtime(serial);
    if (vnf.deployed || runtime.busy !== undefined) {
      const state = runtime.busy === undefined ? this.#model.state(vnf) : `busy (${runtime.busy})`;
      throw new NfioError('BusyError', {
        message: `${pathOf(vnf)} is ${state} and cannot be ${change}. Run: echo destroy > ${pathOf(vnf)}/action`,
      });
    }
    return vnf;
  }

  /** Sets a value in machine/; limits of a running guest change at once. */
  async set(serial: number, path: string, options: VnfSetting): Promise<void> {
    await this.#model.recordVnf(serial, path, () => {
      const value = parseSetting(vnfSettings, path, options.text);
      return this.#model.runtime(serial).lane.run(() => this.#set(serial, [path, value], options));
    });
  }

  async #set(serial: number, [path, value]: readonly [string, string], { actor, signal }: VnfSetting): Promise<void> {
    const before = this.#model.vnf(serial);
    const after = { ...before, settings: { ...before.settings, [path]: value } };
    const [has, wants] = [promisedTo(before), promisedTo(after)];
    if (before.deployed) requireRoom(this.#model, actor.uid, before, { vcpus: wants.vcpus - has.vcpus, memory: wants.memory - has.memory });
    const { used } = this.#model.inventory;
    used.put(after);
    try {
      const live = path === 'machine/vm.vcpu' || path === 'machine/vm.memory';
      const state = this.#model.state(before);
      if (live && (state === 'running' || state === 'paused'))
        await this.#model.driverOf(before).setLimits(this.#model.ref(before), wantedLimits(this.#model, after), signal);
      await this.#model.commitVnf(after);
    } finally {
      used.put(this.#model.vnf(serial));
    }
  }
}
