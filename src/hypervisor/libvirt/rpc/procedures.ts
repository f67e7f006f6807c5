import { Program } from './packet.ts';
import type { XdrReader } from './xdr-reader.ts';
import type { XdrWriter } from './xdr-writer.ts';

/** A procedure of the daemon: its number, and how its arguments and its result are written. */
export interface Procedure<Arguments extends readonly unknown[], Result> {
  readonly program: number;
  readonly number: number;
  readonly write: (writer: XdrWriter, ...args: Arguments) => void;
  readonly read: (reader: XdrReader) => Result;
}

/** What names a domain (remote_nonnull_domain). */
export interface DomainName {
  readonly name: string;
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  /** Number of a running one, else -1. */
  readonly id: number;
}

/** State of a domain and why it is in it (virDomainState and its reasons). */
export interface DomainState {
  readonly state: number;
  readonly reason: number;
}

/** A value with a name, as lists of them are passed (virTypedParameter). */
export interface TypedParameter {
  readonly name: string;
  readonly value: number | string | boolean;
}

/** An interface of a guest, with its addresses, as the daemon found them. */
export interface GuestInterface {
  readonly name: string;
  readonly mac: string | undefined;
  readonly addresses: readonly string[];
}

/** Counters of one interface, seen from the machine: what it received the guest sent (virDomainInterfaceStatsStruct). */
export interface InterfaceCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxDrops: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txDrops: number;
}

/** A machine (virNodeInfo). */
export interface NodeInfo {
  readonly memoryKiB: number;
  readonly cpus: number;
}

const nothing = (): void => undefined;

function remote<Arguments extends readonly unknown[], Result>(
  number: number,
  write: (writer: XdrWriter, ...args: Arguments) => void,
  read: (reader: XdrReader) => Result,
): Procedure<Arguments, Result> {
  return { program: Program.REMOTE, number, write, read };
}

/** One that takes a domain and flags. */
function onDomain<Result = void>(number: number, read: (reader: XdrReader) => Result): Procedure<readonly [DomainName, number], Result> {
  return remote(number, (writer, domain: DomainName, flags: number) => void writeDomain(writer, domain).uint(flags), read);
}

/** One that takes a domain, the XML of a device, and flags. */
function onDevice(number: number): Procedure<readonly [DomainName, string, number], void> {
  const write = (writer: XdrWriter, domain: DomainName, xml: string, flags: number): void =>
    void writeDomain(writer, domain).string(xml).uint(flags);
  return remote(number, write, nothing);
}

/** The procedures that are called here, by the name of libvirt's public function (remote_protocol.x, qemu_protocol.x). */
export const procedures = {
  connectOpen: remote(1, (writer, uri: string, flags: number) => void writer.optionalString(uri).uint(flags), nothing),
  connectClose: remote(2, nothing, nothing),
  authList: remote(66, nothing, (reader) => reader.array(() => reader.int())),
  connectSupportsFeature: remote(
    60,
    (writer, feature: number) => void writer.int(feature),
    (reader) => reader.int() !== 0,
  ),
  connectGetVersion: remote(4, nothing, (reader) => reader.uhyper()),
  nodeGetInfo: remote(6, nothing, readNodeInfo),
  nodeGetFreeMemory: remote(102, nothing, (reader) => reader.uhyper()),
  connectListAllDomains: remote(
    273,
    (writer, flags: number) => void writer.int(1).uint(flags),
    (reader) => reader.array(readDomain),
  ),
  domainLookupByName: remote(23, (writer, name: string) => void writer.string(name), readDomain),
  domainDefineXmlFlags: remote(350, (writer, xml: string, flags: number) => void writer.string(xml).uint(flags), readDomain),
  domainUndefineFlags: onDomain(231, nothing),
  domainCreateWithFlags: onDomain(196, readDomain),
  domainDestroyFlags: onDomain(234, nothing),
  domainShutdownFlags: onDomain(258, nothing),
  domainSuspend: remote(34, (writer, domain: DomainName) => void writeDomain(writer, domain), nothing),
  domainResume: remote(28, (writer, domain: DomainName) => void writeDomain(writer, domain), nothing),
  domainGetState: onDomain<DomainState>(212, (reader) => ({ state: reader.int(), reason: reader.int() })),
  domainGetXmlDesc: onDomain(14, (reader) => reader.string()),
  domainAttachDeviceFlags: onDevice(160),
  domainDetachDeviceFlags: onDevice(161),
  domainUpdateDeviceFlags: onDevice(174),
  domainSetMemoryFlags: remote(
    204,
    (writer, domain: DomainName, memoryKiB: number, flags: number) => void writeDomain(writer, domain).uhyper(memoryKiB).uint(flags),
    nothing,
  ),
  domainSetSchedulerParametersFlags: remote(
    219,
    (writer, domain: DomainName, parameters: readonly LongParameter[], flags: number) =>
      void writeDomain(writer, domain).array(parameters, writeLongParameter).uint(flags),
    nothing,
  ),
  domainInterfaceStats: remote(
    65,
    (writer, domain: DomainName, device: string) => void writeDomain(writer, domain).string(device),
    readInterfaceCounters,
  ),
  domainInterfaceAddresses: remote(
    353,
    (writer, domain: DomainName, source: number) => void writeDomain(writer, domain).uint(source).uint(0),
    (reader) => reader.array(readInterface),
  ),
  connectGetAllDomainStats: remote(
    344,
    (writer, domains: readonly DomainName[], stats: number, flags: number) =>
      void writer.array(domains, writeDomain).uint(stats).uint(flags),
    (reader) => reader.array(() => ({ domain: readDomain(reader), parameters: reader.array(readParameter) })),
  ),
  connectDomainEventCallbackRegisterAny: remote(
    316,
    (writer, event: number) => void writer.int(event).uint(0),
    (reader) => reader.int(),
  ),
  domainAgentCommand: {
    program: Program.QEMU,
    number: 3,
    write: (writer: XdrWriter, domain: DomainName, command: string, timeoutSec: number): void =>
      void writeDomain(writer, domain).string(command).int(timeoutSec).uint(0),
    read: (reader: XdrReader): string => reader.optional(() => reader.string()) ?? '',
  },
} as const;

/** An event as the daemon tells it: a domain, what happened, and why. */
export interface DomainEvent {
  readonly kind: 'lifecycle' | 'agent';
  readonly domain: DomainName;
  /** virDomainEventType, or virConnectDomainEventAgentLifecycleState. */
  readonly event: number;
  readonly detail: number;
}

const eventKinds: Readonly<Record<number, DomainEvent['kind']>> = { 318: 'lifecycle', 348: 'agent' };

/** The event in a message of the remote program; undefined for one that is none of ours. */
export function readEvent(procedure: number, reader: XdrReader): DomainEvent | undefined {
  const kind = eventKinds[procedure];
  if (kind === undefined) return undefined;
  reader.int(); // number of the registration
  return { kind, domain: readDomain(reader), event: reader.int(), detail: reader.int() };
}

function writeDomain(writer: XdrWriter, { name, uuid, id }: DomainName): XdrWriter {
  return writer.string(name).fixed(Buffer.from(uuid, 'hex')).int(id);
}

function readDomain(reader: XdrReader): DomainName {
  return { name: reader.string(), uuid: reader.fixed(16).toString('hex'), id: reader.int() };
}

function readNodeInfo(reader: XdrReader): NodeInfo {
  reader.fixed(32 * 4); // model; XDR widens each char
  const memoryKiB = reader.uhyper();
  return { memoryKiB, cpus: reader.int() };
}

function readInterfaceCounters(reader: XdrReader): InterfaceCounters {
  const [rxBytes = 0, rxPackets = 0, , rxDrops = 0, txBytes = 0, txPackets = 0, , txDrops = 0] = Array.from({ length: 8 }, () =>
    reader.hyper(),
  );
  return { rxBytes, rxPackets, rxDrops, txBytes, txPackets, txDrops };
}

function readInterface(reader: XdrReader): GuestInterface {
  const name = reader.string();
  const mac = reader.optional(() => reader.string());
  const addresses = reader.array(() => {
    reader.int(); // family, which shows
    const address = reader.string();
    reader.uint(); // prefix
    return address;
  });
  return { name, mac, addresses };
}

/** Integer parameters of the scheduler: periods are unsigned hypers, quotas hypers. */
export interface LongParameter {
  readonly name: string;
  readonly type: 'hyper' | 'uhyper';
  readonly value: number;
}

function writeLongParameter(writer: XdrWriter, { name, type, value }: LongParameter): void {
  writer
    .string(name)
    .int(type === 'hyper' ? 3 : 4)
    [type](value);
}

const parameterReaders: Readonly<Record<number, (reader: XdrReader) => TypedParameter['value']>> = {
  1: (reader) => reader.int(),
  2: (reader) => reader.uint(),
  3: (reader) => reader.hyper(),
  4: (reader) => reader.uhyper(),
  5: (reader) => reader.double(),
  6: (reader) => reader.int() !== 0,
  7: (reader) => reader.string(),
};

function readParameter(reader: XdrReader): TypedParameter {
  const name = reader.string();
  const type = reader.int();
  const read = parameterReaders[type];
  if (read === undefined) throw new RangeError(`a parameter of type ${type}`);
  return { name, value: read(reader) };
}
