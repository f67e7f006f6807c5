import { isLocalHost } from '../domain/placement.ts';
import { isDefaultQuota } from '../domain/quotas.ts';
import type {
  ChainRecord,
  HostRecord,
  NetworkRecord,
  ObjectRecord,
  Ownership,
  PortRecord,
  QuotaRecord,
  TypeRecord,
  VnfRecord,
} from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

/** chown and chmod of special files; undefined: left as it is. */
export interface OwnershipChange {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly mode?: number | undefined;
}

/** Names a special file: an object and a path below it (empty: its directory), and what it has while nobody changed it. */
export interface OwnedFile {
  readonly kind: 'type' | 'vnf' | 'port' | 'network' | 'host' | 'quota' | 'chain' | 'hop' | 'symlink';
  readonly serial: number;
  readonly path: string;
  readonly current: Ownership;
}

/** Keeps who owns what. */
export class OwnershipService {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  async change(file: OwnedFile, change: OwnershipChange): Promise<void> {
    const { uid = file.current.uid, gid = file.current.gid, mode = file.current.mode } = change;
    const next = { uid, gid, mode: mode & 0o7777 };
    switch (file.kind) {
      case 'type':
        return await this.#changeType(file, next);
      case 'network':
        return await this.#changeNetwork(file, next);
      case 'host':
        return await this.#changeHost(file, next);
      case 'quota':
        return await this.#changeQuota(file, next);
      case 'vnf':
        return await this.#changeVnf(file.serial, (vnf) => {
          checkStaysRoots(vnf, file, next);
          return withOwnership(vnf, file.path, next);
        });
      case 'port':
        return await this.#changePort(file, next);
      case 'chain':
      case 'hop':
      case 'symlink':
        return await this.#changeChain(file, next);
    }
  }

  async #changeType(file: OwnedFile, next: Ownership): Promise<void> {
    const before: TypeRecord = found(this.#model.inventory.typeBySerial(file.serial));
    this.#model.publishType(await this.#commit(before, withOwnership(before, file.path, next)));
  }

  async #changeNetwork(file: OwnedFile, next: Ownership): Promise<void> {
    const before: NetworkRecord = found(this.#model.inventory.networkBySerial(file.serial));
    this.#model.publishNetwork(await this.#commit(before, withOwnership(before, file.path, next)));
  }

  async #changeHost(file: OwnedFile, next: Ownership): Promise<void> {
    const before: HostRecord = found(this.#model.inventory.hostBySerial(file.serial));
    if (isLocalHost(before)) throw new NfioError('NotPermittedError', { message: `hosts/${before.name} is this machine, and root’s` });
    this.#model.publishHost(await this.#commit(before, withOwnership(before, file.path, next)));
  }

  async #changeQuota(file: OwnedFile, next: Ownership): Promise<void> {
    const before: QuotaRecord = found(this.#model.inventory.quotaBySerial(file.serial));
    if (isDefaultQuota(before)) throw new NfioError('NotPermittedError', { message: `quotas/${before.name} is for all, and root’s` });
    this.#model.publishQuota(await this.#commit(before, withOwnership(before, file.path, next)));
  }

  /** A service chain, one of its hops, or one of their links. */
  async #changeChain(file: OwnedFile, next: Ownership): Promise<void> {
    const change = <T extends ObjectRecord>(record: T): T =>
      record.serial === file.serial ? withOwnership(record, file.path, next) : record;
    const before = found([...this.#model.inventory.chains()].find((chain) => holds(chain, file.serial)));
    const hops = before.hops.map((hop) => ({ ...change(hop), links: hop.links.map(change) }));
    await this.#commit(before, { ...change(before), hops, links: before.links.map(change) });
    this.#model.publishChain(before.serial);
  }

  /** True here at once, so that the next change builds on it, and taken back if it cannot be made durable. */
  async #commit<T extends TypeRecord | NetworkRecord | HostRecord | QuotaRecord | ChainRecord>(before: T, after: T): Promise<T> {
    this.#model.inventory.put(after);
    try {
      await this.#model.parts.store.update(after);
      return after;
    } catch (error) {
      this.#model.inventory.put(before);
      throw error;
    }
  }

  async #changePort(file: OwnedFile, next: Ownership): Promise<void> {
    const { vnf } = found(this.#model.inventory.port(file.serial));
    const change = (port: PortRecord): PortRecord => (port.serial === file.serial ? withOwnership(port, file.path, next) : port);
    await this.#changeVnf(vnf.serial, (current) => ({ ...current, ports: current.ports.map(change) }));
  }

  async #changeVnf(serial: number, change: (vnf: VnfRecord) => VnfRecord): Promise<void> {
    await this.#model.runtime(serial).lane.run(() => this.#model.commitVnf(change(this.#model.vnf(serial))));
  }
}

/** Files by which their owner has a guest do something. */
const handles: readonly string[] = ['', 'action', 'command', 'rfs'];

/** @throws BusyError for giving away a guest that has powers over the machine: its next owner could not have made it so. */
function checkStaysRoots(vnf: VnfRecord, { path, current }: OwnedFile, next: Ownership): void {
  if (!vnf.powerful || !handles.includes(path) || next.uid === 0 || next.uid === current.uid) return;
  throw new NfioError('BusyError', {
    message: `nf-types/${vnf.type}/${vnf.name} has powers over this machine, by config/boot.conf or as a container of root's. Before it is given away run: echo destroy > nf-types/${vnf.type}/${vnf.name}/action`,
  });
}

/** Also the object's own directory (path '') changes alone: its files keep the owner they were made with until they are named, as in chown -R. */
function withOwnership<T extends ObjectRecord>(record: T, path: string, next: Ownership): T {
  return { ...record, ownership: { ...record.ownership, [path]: next } };
}

/** True when an object is a service chain or part of it. */
function holds(chain: ChainRecord, serial: number): boolean {
  return [chain, ...chain.hops].some((each) => each.serial === serial || each.links.some((link) => link.serial === serial));
}

function found<T>(record: T | undefined): T {
  if (record === undefined) throw new NfioError('NotFoundError', { message: 'the object has been removed' });
  return record;
}
