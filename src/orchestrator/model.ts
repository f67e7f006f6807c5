import type { ChainObservation } from '../domain/observation.ts';
import { noContents } from '../domain/ports/state.ts';
import {
  type ChainRecord,
  type HostRecord,
  type NetworkRecord,
  type ObjectRecord,
  type Ownership,
  type QuotaRecord,
  recordKey,
  type TypeRecord,
  type VnfRecord,
} from '../domain/records.ts';
import { refreshFileAttributes } from './file-attributes.ts';
import { type Failure, KeptErrors, type Told } from './kept-errors.ts';
import { observeHost, observeNetwork, observeQuota, observeVnf } from './observations.ts';
import { errorOf } from './runtime.ts';
import { World } from './world.ts';

/** What is known, and the one way to change it so that the tree shows it. */
export class Model extends World {
  /** What is to be told of a service chain, without failures of the past. */
  observeChain: ((chain: ChainRecord) => ChainObservation) | undefined;
  readonly #errors = new KeptErrors(this, (serial) => this.publish(serial));

  /** What every object begins with: its owner, and a serial of its own. */
  newObject({ uid, gid, mode }: Ownership): ObjectRecord {
    return { uid, gid, mode, serial: this.parts.store.nextSerial(), createdMs: Date.now(), ownership: {}, settings: {} };
  }

  /** Makes a new object durable, then true here, then visible. */
  async add(record: NetworkRecord | HostRecord | QuotaRecord): Promise<void> {
    await this.parts.store.create(record, noContents);
    this.inventory.put(record);
    this.publish(record.serial);
  }

  /** Makes a record durable, then true here, then visible. */
  async commitVnf(vnf: VnfRecord): Promise<void> {
    await this.parts.store.update(vnf);
    this.inventory.put(vnf);
    this.publishVnf(vnf.serial);
  }

  /** Shows an object as it is now; nothing of one that is gone. */
  publish(serial: number): void {
    const { inventory } = this;
    const [network, host, quota] = [inventory.networkBySerial(serial), inventory.hostBySerial(serial), inventory.quotaBySerial(serial)];
    if (network !== undefined) this.publishNetwork(network);
    else if (host !== undefined) this.publishHost(host);
    else if (quota !== undefined) this.publishQuota(quota);
    else if (inventory.chain(serial) !== undefined) this.publishChain(serial);
    else this.publishVnf(serial);
  }

  /** Shows a VNF as it is, at once, and again if its module then says something else of its files: until it has, a promise for who minds. */
  publishVnf(serial: number): Promise<void> {
    this.#showVnf(serial);
    return this.refreshFiles(serial);
  }

  /** Has a VNF's module say what its files are like, and shows that. */
  async refreshFiles(serial: number): Promise<void> {
    const record = this.inventory.vnf(serial);
    if (record !== undefined && (await refreshFileAttributes(this, record))) this.#showVnf(serial);
  }

  #showVnf(serial: number): void {
    const record = this.inventory.vnf(serial);
    if (record !== undefined) this.parts.listener({ kind: 'vnf', record, observation: observeVnf(this, record) });
  }

  publishNetwork(record: NetworkRecord): void {
    this.parts.listener({ kind: 'network', record, observation: observeNetwork(this, record) });
  }

  publishHost(record: HostRecord): void {
    this.parts.listener({ kind: 'host', record, observation: observeHost(this, record) });
  }

  publishQuota(record: QuotaRecord): void {
    this.parts.listener({ kind: 'quota', record, observation: observeQuota(this, record) });
  }

  /** Shows a service chain as it is; its runtime says how that is found out. */
  publishChain(serial: number): void {
    const record = this.inventory.chain(serial);
    if (record === undefined || this.observeChain === undefined) return;
    const observation = this.observeChain(record);
    this.parts.listener({
      kind: 'chain',
      record,
      observation: { ...observation, error: errorOf(this.runtime(serial)) || observation.error },
    });
  }

  publishType(record: TypeRecord): void {
    this.parts.listener({ kind: 'type', record });
  }

  /** The object is gone. */
  withdraw(serial: number): void {
    this.runtimes.forget(serial);
    this.parts.listener({ kind: 'removed', serial });
  }

  /** Keeps the outcome of an operation on a VNF in its `error` file. Rethrows; who asked for it has `events` tell of a failure (takeFailures). */
  recordVnf<T>(serial: number, what: string, operation: () => Promise<T>): Promise<T> {
    return this.#errors.ofVnf(serial, what, operation);
  }

  /** The like for another object. */
  recordObject<T>(record: NetworkRecord | HostRecord | QuotaRecord | ChainRecord, what: string, operation: () => Promise<T>): Promise<T> {
    return this.#errors.ofObject(record, what, operation);
  }

  /** Keeps a failure outside of these operations in the `error` of an object. Once for each error. */
  tell(failure: Failure, error: Error): void {
    this.#errors.tell(failure, error);
  }

  /** Something cannot be read of an object: `error` and `events` tell, once while it fails alike. */
  cannotRead(failure: Failure & { readonly serial: number }, error: Error): void {
    this.#errors.cannotRead(failure, error);
  }

  /** It can be read again. */
  canRead(serial: number, what: string): void {
    this.#errors.canRead(serial, what);
  }

  /** What `events` are to tell of what was thrown; undefined when nothing of it was kept in an `error`. Each is given once. */
  takeFailures(error: unknown): readonly Told[] | undefined {
    return this.#errors.take(error);
  }

  /** Has `events` tell of a failure of what nobody asked for. */
  noteFailures(error: unknown): void {
    for (const { path, what, why } of this.takeFailures(error) ?? []) this.note({ path, what: `${what} failed`, why });
  }

  /** What was told in `error` of something that begins with these words is over. */
  forgetTold(serial: number, beginning: string): void {
    this.#errors.forget(serial, beginning);
  }

  /** Carries out a write of a copy, whose success says nothing of what failed before: `error` keeps that. */
  keepingError(serial: number, path: string, write: () => Promise<void>): Promise<void> {
    return this.#errors.throughout(serial, path, write);
  }

  /** Carries out what takes a failed operation back; `error` keeps telling of the failure. */
  takingBack(serial: number, operation: () => Promise<void>): Promise<void> {
    return this.#errors.afterFailure(serial, operation);
  }
}

/** Path of a VNF below the mountpoint. */
export function pathOf(vnf: VnfRecord): string {
  return recordKey(vnf);
}
