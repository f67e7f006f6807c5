import type { PlacedPort } from '../domain/addressing.ts';
import { userOf } from '../domain/quotas.ts';
import {
  type ChainRecord,
  type HostRecord,
  idOf,
  type NetworkRecord,
  type PortRecord,
  type QuotaRecord,
  type StoredRecord,
  type TypeRecord,
  type VnfRecord,
} from '../domain/records.ts';
import { UseCounts } from './use-counts.ts';

/** Every record, by serial and by name. In memory; the state store has the durable ones. */
export class Inventory {
  /** What each user has. */
  readonly used = new UseCounts();
  readonly #types = new Map<string, TypeRecord>();
  readonly #networks = new Map<string, NetworkRecord>();
  readonly #hosts = new Map<string, HostRecord>();
  readonly #quotas = new Map<string, QuotaRecord>();
  readonly #chains = new Map<number, ChainRecord>();
  readonly #vnfs = new Map<number, VnfRecord>();
  readonly #vnfSerials = new Map<string, number>();
  readonly #portOwners = new Map<number, number>();
  /** By network, then by the port's serial. */
  readonly #networkPorts = new Map<string, Map<number, PlacedPort>>();

  /** Adds a record or replaces the one with its serial. */
  put(record: StoredRecord): void {
    this.used.put(record);
    if (record.kind === 'vnf') {
      this.#putVnf(record);
      return;
    }
    this.#removeNamed(record);
    if (record.kind === 'type') this.#types.set(record.name, record);
    else if (record.kind === 'network') this.#networks.set(record.name, record);
    else if (record.kind === 'host') this.#hosts.set(record.name, record);
    else if (record.kind === 'quota') this.#quotas.set(record.name, record);
    else this.#chains.set(record.serial, record);
  }

  remove(record: StoredRecord): void {
    this.used.remove(record.serial);
    this.#removeNamed(record);
  }

  #removeNamed({ kind, serial }: StoredRecord): void {
    if (kind === 'type') removeSerial(this.#types, serial);
    else if (kind === 'network') removeSerial(this.#networks, serial);
    else if (kind === 'host') removeSerial(this.#hosts, serial);
    else if (kind === 'quota') removeSerial(this.#quotas, serial);
    else if (kind === 'chain') this.#chains.delete(serial);
    else this.#removeVnf(serial);
  }

  type(name: string): TypeRecord | undefined {
    return this.#types.get(name);
  }

  types(): Iterable<TypeRecord> {
    return this.#types.values();
  }

  network(name: string): NetworkRecord | undefined {
    return this.#networks.get(name);
  }

  networks(): Iterable<NetworkRecord> {
    return this.#networks.values();
  }

  host(name: string): HostRecord | undefined {
    return this.#hosts.get(name);
  }

  hosts(): Iterable<HostRecord> {
    return this.#hosts.values();
  }

  hostBySerial(serial: number): HostRecord | undefined {
    for (const host of this.#hosts.values()) if (host.serial === serial) return host;
    return undefined;
  }

  quota(name: string): QuotaRecord | undefined {
    return this.#quotas.get(name);
  }

  quotas(): Iterable<QuotaRecord> {
    return this.#quotas.values();
  }

  /** The entry for a user, undefined for one who has none. */
  quotaOf(uid: number): QuotaRecord | undefined {
    for (const quota of this.#quotas.values()) if (userOf(quota) === uid) return quota;
    return undefined;
  }

  quotaBySerial(serial: number): QuotaRecord | undefined {
    for (const quota of this.#quotas.values()) if (quota.serial === serial) return quota;
    return undefined;
  }

  chain(serial: number): ChainRecord | undefined {
    return this.#chains.get(serial);
  }

  chainNamed(name: string): ChainRecord | undefined {
    for (const chain of this.#chains.values()) if (chain.name === name) return chain;
    return undefined;
  }

  chains(): Iterable<ChainRecord> {
    return this.#chains.values();
  }

  networkBySerial(serial: number): NetworkRecord | undefined {
    for (const network of this.#networks.values()) if (network.serial === serial) return network;
    return undefined;
  }

  typeBySerial(serial: number): TypeRecord | undefined {
    for (const type of this.#types.values()) if (type.serial === serial) return type;
    return undefined;
  }

  vnf(serial: number): VnfRecord | undefined {
    return this.#vnfs.get(serial);
  }

  vnfNamed(type: string, name: string): VnfRecord | undefined {
    return this.#vnfs.get(this.#vnfSerials.get(`${type}/${name}`) ?? -1);
  }

  /** The record of what a path leads to, or is in: of a new name, what it is in. Undefined for the root and its directories. */
  at(path: string): StoredRecord | undefined {
    const [home, first = '', second = ''] = path.split('/');
    if (home === 'nf-types') return this.vnfNamed(first, second) ?? this.type(first);
    if (home === 'networks') return this.network(first);
    if (home === 'hosts') return this.host(first);
    return home === 'chns' ? this.chainNamed(first) : undefined;
  }

  /** The VNF whose guest has an id. */
  vnfOfGuest(id: string): VnfRecord | undefined {
    const vnf = this.#vnfs.get(Number.parseInt(id, 36));
    return vnf !== undefined && idOf(vnf.serial) === id ? vnf : undefined;
  }

  vnfs(): Iterable<VnfRecord> {
    return this.#vnfs.values();
  }

  port(serial: number): PlacedPort | undefined {
    const vnf = this.#vnfs.get(this.#portOwners.get(serial) ?? -1);
    const port = vnf?.ports.find((each) => each.serial === serial);
    return vnf === undefined || port === undefined ? undefined : { vnf, port };
  }

  /** All ports on a network, of all VNFs. */
  portsOn(network: string): PlacedPort[] {
    return [...(this.#networkPorts.get(network)?.values() ?? [])];
  }

  /** In the place of its former record: this happens often, and a Map in which entries come and go is made anew again and again. */
  #putVnf(vnf: VnfRecord): void {
    const before = this.#vnfs.get(vnf.serial);
    if (before !== undefined) this.#removeMissing(before, vnf);
    this.#vnfs.set(vnf.serial, vnf);
    this.#vnfSerials.set(`${vnf.type}/${vnf.name}`, vnf.serial);
    for (const port of vnf.ports) {
      this.#portOwners.set(port.serial, vnf.serial);
      this.#networkOf(port)?.set(port.serial, { vnf, port });
    }
  }

  /** What a VNF had and has no longer: its name, ports, and their networks. */
  #removeMissing(before: VnfRecord, after: VnfRecord): void {
    if (before.type !== after.type || before.name !== after.name) this.#vnfSerials.delete(`${before.type}/${before.name}`);
    const networks = new Map(after.ports.map(({ serial, settings }) => [serial, settings['network'] ?? '']));
    for (const port of before.ports) if (networks.get(port.serial) !== (port.settings['network'] ?? '')) this.#removePort(port);
  }

  #removeVnf(serial: number): void {
    const vnf = this.#vnfs.get(serial);
    if (vnf === undefined) return;
    this.#vnfs.delete(serial);
    this.#vnfSerials.delete(`${vnf.type}/${vnf.name}`);
    for (const port of vnf.ports) this.#removePort(port);
  }

  #removePort(port: PortRecord): void {
    this.#portOwners.delete(port.serial);
    this.#networkOf(port)?.delete(port.serial);
  }

  #networkOf(port: PortRecord): Map<number, PlacedPort> | undefined {
    const name = port.settings['network'] ?? '';
    if (name === '') return undefined;
    const known = this.#networkPorts.get(name);
    if (known !== undefined) return known;
    const made = new Map<number, PlacedPort>();
    this.#networkPorts.set(name, made);
    return made;
  }
}

function removeSerial(records: Map<string, StoredRecord>, serial: number): void {
  for (const [name, record] of records) if (record.serial === serial) records.delete(name);
}
