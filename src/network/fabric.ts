import { stat } from 'node:fs/promises';
import type { PortSpec, SegmentSpec } from '../domain/ports/network.ts';
import { isAbsence, NfioError } from '../errors/index.ts';
import { announcements, announcementsOfOpen } from './announcement.ts';
import { IpBatch } from './ip-batch.ts';
import type { NetworkRequest } from './link-request.ts';
import { bridgeName, fabricName, fabricPortName, ipLine } from './names.ts';
import { type GuestChange, NetworkChanger } from './network-changer.ts';
import { canOpen, openingRequest } from './port-requests.ts';
import type { ProcessId } from './process-id.ts';
import { runProgram } from './run-program.ts';

/** The group of interfaces that are about to be removed. */
const leaving = 28_262;

/** Where `ip netns add` pins namespaces. */
const netnsDirectory = '/run/netns';

/**
 * The network namespace of one mount, and in it a bridge a segment and one end of every port. The machine's own firewall
 * neither sees nor breaks what passes there. Made when first needed. Segments and ports that are there are not made again.
 */
export class Fabric implements AsyncDisposable {
  readonly mountId: string;
  /** The name `ip netns` knows it by. */
  readonly name: string;
  readonly netnsPath: string;
  readonly #batch: IpBatch;
  readonly #changer: NetworkChanger;
  readonly #segments = new Map<string, Promise<number>>();
  readonly #beforeAttach: ((ports: readonly PortSpec[]) => Promise<void>)[] = [];
  #retired = false;
  readonly #afterOpen: ((ports: readonly PortSpec[]) => Promise<void>)[] = [];
  readonly #afterRemove: ((ids: readonly string[]) => void)[] = [];
  #made: Promise<void> | undefined;

  constructor(mountId: string) {
    this.mountId = mountId;
    this.name = fabricName(mountId);
    this.netnsPath = `${netnsDirectory}/${this.name}`;
    this.#batch = new IpBatch(this.netnsPath);
    this.#changer = new NetworkChanger(mountId);
  }

  /**
   * Counters of all that is in the fabric, in the format of /proc/PID/net/dev; undefined while none of our processes is there (see
   * `openCounters`). Another process may take its place.
   */
  get netDevPath(): string | undefined {
    const { pid } = this.#batch;
    return pid === undefined ? undefined : `/proc/${pid}/net/dev`;
  }

  /** Sees to it that there is a netDevPath. */
  async openCounters(): Promise<void> {
    await this.ensure();
    await this.#batch.run([ipLine('link', 'show', 'dev', 'lo')]);
  }

  /** Makes the namespace if it is not there. */
  ensure(): Promise<void> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** nf.io ends: what it removes is not made again by what it has still to tell. */
  retire(): void {
    this.#retired = true;
  }

  /** Makes the bridge of a segment if it is not there. Resolves to its interface index. */
  ensureSegment(segment: SegmentSpec): Promise<number> {
    const known = this.#segments.get(segment.id);
    if (known !== undefined) return known;
    if (this.#retired) return Promise.reject(new NfioError('NetworkError', { message: `network ${segment.name} is not made: nf.io ends` }));
    const making = this.#makeSegment(segment).catch((error: unknown) => {
      this.#segments.delete(segment.id);
      throw error;
    });
    this.#segments.set(segment.id, making);
    return making;
  }

  /** Makes the bridge of a segment, if it is there, pass on what its mask says. */
  async setGroupMask(segment: SegmentSpec): Promise<void> {
    if (!(await this.exists())) return;
    const { failures } = await this.#batch.run([ipLine('link', 'show', 'dev', bridgeName(segment))]);
    if (failures.length === 0) await this.change([groupMaskLine(segment)]);
  }

  /** Removes the bridge of a segment. */
  async removeSegment(segment: Pick<SegmentSpec, 'id'>): Promise<void> {
    this.#segments.delete(segment.id);
    if (await this.exists()) await this.#batch.run([ipLine('link', 'del', bridgeName(segment))]);
  }

  /** What /proc/PID/net/dev tells of the fabric, undefined when the segment's bridge is not there. */
  async readNetDev(segment: Pick<SegmentSpec, 'id'>): Promise<string | undefined> {
    if (!(await this.exists())) return undefined;
    const { failures } = await this.#batch.run([ipLine('link', 'show', 'dev', bridgeName(segment))]);
    return failures.length > 0 ? undefined : this.#batch.readNetDev();
  }

  /** Puts the fabric's ends of ports, which are there already, on their segments. Those that were open stay open, others have to be opened then. */
  async attach(ports: readonly PortSpec[]): Promise<void> {
    for (const { segment } of ports) if (segment !== undefined) await this.ensureSegment(segment);
    await this.prepare(ports);
    await this.change(ports.map(attachLine));
  }

  /** Lets frames pass ports that are closed, and tells everyone else on their segments whose their addresses are. */
  async open(ports: readonly PortSpec[]): Promise<void> {
    const requests: NetworkRequest[] = [];
    for (const port of ports.filter(canOpen)) {
      if (port.segment !== undefined) requests.push(...announcements(port, await this.ensureSegment(port.segment)));
      requests.push(openingRequest(port));
    }
    if (requests.length === 0) return;
    await this.#changer.change({ settings: [], requests, fabric: this.netnsPath });
    for (const follow of this.#afterOpen) await follow(ports);
  }

  /** What can be done with ports only once frames pass them. */
  afterOpen(follow: (ports: readonly PortSpec[]) => Promise<void>): void {
    this.#afterOpen.push(follow);
  }

  /** Tells everyone on the segments of ports that are open from the start whose their addresses are. See isOpenAtOnce. */
  async greet(ports: readonly PortSpec[]): Promise<void> {
    const requests: NetworkRequest[] = [];
    for (const port of ports.filter(canOpen)) {
      if (port.segment !== undefined) requests.push(...announcements(port, await this.ensureSegment(port.segment)));
    }
    if (requests.length > 0) await this.#changer.change({ settings: [], requests, fabric: this.netnsPath });
  }

  /** Lets no frame pass ports any more; those that are not there are as good as closed. */
  async close(ports: readonly Pick<PortSpec, 'id'>[]): Promise<void> {
    if (ports.length === 0 || !(await this.exists())) return;
    await this.#batch.run(ports.map(({ id }) => ipLine('link', 'set', 'dev', fabricPortName(id), 'down')));
  }

  /** Tells everyone else on the segments of ports that are open whose their addresses are. A port whose guest has put its own end down is nobody's news. */
  async announce(ports: readonly PortSpec[]): Promise<void> {
    if (this.#retired) return;
    const requests: NetworkRequest[] = [];
    for (const port of ports) {
      if (port.up && port.segment !== undefined) requests.push(...announcementsOfOpen(port, await this.ensureSegment(port.segment)));
    }
    if (requests.length > 0) await this.#changer.change({ settings: [], requests, fabric: this.netnsPath }).catch(() => undefined);
  }

  /** What is to be done with new ports, or such on a new segment, before the first frame passes them. */
  beforeAttach(prepare: (ports: readonly PortSpec[]) => Promise<void>): void {
    this.#beforeAttach.push(prepare);
  }

  /** Does that for ports that are on their segments from the start, before their guest uses them. */
  async prepare(ports: readonly PortSpec[]): Promise<void> {
    for (const prepare of this.#beforeAttach) await prepare(ports);
  }

  /** Removes ports by their fabric's ends; those that are not there are as good as removed. */
  async removePorts(portIds: readonly string[]): Promise<void> {
    if (portIds.length === 0 || !(await this.exists())) return;
    if (portIds.length === 1) await this.#batch.run(portIds.map((id) => ipLine('link', 'del', fabricPortName(id))));
    // The kernel waits for all processors once for a group, and once for each where they are removed one by one.
    else
      await this.#batch.run([
        ...portIds.map((id) => ipLine('link', 'set', 'dev', fabricPortName(id), 'group', leaving)),
        ipLine('link', 'del', 'group', leaving),
      ]);
    for (const follow of this.#afterRemove) follow(portIds);
  }

  /** What is to be done once ports, by their ids, are not there any more. */
  afterRemove(follow: (ids: readonly string[]) => void): void {
    this.#afterRemove.push(follow);
  }

  /** Carries out transactions of nf_tables, in hexadecimal digits, one after another. @throws NetworkError with what the kernel said of the first that failed. */
  async changeRules(transactions: readonly string[]): Promise<void> {
    await this.ensure();
    const requests = transactions.map((digits): NetworkRequest => ({ namespace: 'rules', what: 'rules that guard ports', digits }));
    await this.#changer.change({ settings: [], requests, fabric: this.netnsPath });
  }

  /**
   * Runs ip commands in the fabric.
   *
   * @throws NetworkError (EIO) with what ip said of the first that failed; the others were run.
   */
  async change(lines: readonly string[]): Promise<void> {
    await this.#change(lines);
  }

  async #change(lines: readonly string[]): Promise<readonly string[]> {
    const { failures, output } = await this.#batch.run(lines);
    const [failure] = failures;
    if (failure === undefined) return output;
    throw new NfioError('NetworkError', { message: `ip ${lines[failure.index] ?? ''}: ${failure.message}` });
  }

  /**
   * Changes the network of a guest and its ports, whose other ends are here.
   *
   * @throws NetworkError with what the kernel said of the first request that failed; those before it were carried out.
   */
  async changeGuest(guest: ProcessId, change: Pick<GuestChange, 'settings' | 'requests'>, signal: AbortSignal): Promise<void> {
    if (change.settings.length + change.requests.length === 0) return;
    await this.ensure();
    signal.throwIfAborted();
    await this.#changer.change({ ...change, fabric: this.netnsPath, guest: `/proc/${guest.pid}/ns/net` });
  }

  /** Names of the interfaces in the namespace; none when it is not there. */
  async devices(signal: AbortSignal): Promise<ReadonlySet<string>> {
    if (!(await this.exists())) return new Set();
    const shown = await runProgram(['ip', '-netns', this.name, '-json', 'link', 'show'], { signal });
    if (shown.exitCode !== 0)
      throw new NfioError('NetworkError', { message: `the interfaces of the fabric cannot be listed: ${shown.stderr.trim()}` });
    const links = JSON.parse(shown.stdout || '[]') as readonly { readonly ifname?: string }[];
    return new Set(links.flatMap(({ ifname }) => ifname ?? []));
  }

  /** True when the namespace is there. */
  async exists(): Promise<boolean> {
    try {
      await stat(this.netnsPath);
      return true;
    } catch (error) {
      if (isAbsence(error)) return false;
      throw error;
    }
  }

  /** Removes the namespace when neither a bridge nor a port is left in it: true when it did. */
  async removeIfUnused(signal: AbortSignal): Promise<boolean> {
    if (!(await this.exists())) return false;
    const links = await runProgram(['ip', '-netns', this.name, '-o', 'link', 'show'], { signal });
    if (/^\d+: (?:br|p)[a-z0-9]{6,12}[@:]/m.test(links.stdout)) return false;
    this.#forget();
    await this.#changer[Symbol.asyncDispose](); // it has sockets there
    await runProgram(['ip', 'netns', 'del', this.name], { signal });
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    await this.#changer[Symbol.asyncDispose]();
  }

  #forget(): void {
    this.#batch[Symbol.dispose]();
    this.#made = undefined;
    this.#segments.clear();
  }

  async #make(): Promise<void> {
    if (await this.exists()) return;
    const made = await runProgram(['ip', 'netns', 'add', this.name], { signal: AbortSignal.timeout(10_000) });
    if (made.exitCode === 0 || (await this.exists())) return;
    throw new NfioError('NetworkError', { message: `the network namespace ${this.name} could not be made: ${made.stderr.trim()}` });
  }

  async #makeSegment(segment: SegmentSpec): Promise<number> {
    await this.ensure();
    const bridge = bridgeName(segment);
    await this.#batch.run([ipLine('link', 'add', 'name', bridge, 'type', 'bridge', 'mcast_snooping', 0)]);
    const set = ipLine('link', 'set', 'dev', bridge, 'up', 'alias', segment.name); // fails unless it is there now
    const [shown = ''] = await this.#change([set, groupMaskLine(segment), ipLine('link', 'show', 'dev', bridge)]);
    return Number.parseInt(shown, 10);
  }
}

function groupMaskLine(segment: SegmentSpec): string {
  return ipLine('link', 'set', 'dev', bridgeName(segment), 'type', 'bridge', 'group_fwd_mask', segment.groupMask ?? 0);
}

function attachLine(port: PortSpec): string {
  const name = fabricPortName(port.id);
  const place = port.segment === undefined ? ['nomaster'] : ['master', bridgeName(port.segment)];
  return ipLine('link', 'set', 'dev', name, ...place, ...(canOpen(port) ? [] : ['down']));
}
