import { addressesOf, subnetOf } from '../../domain/addressing.ts';
import { chainPortAddress, chainPortName, instanceIn, linkLocalAddress, signingAddress } from '../../domain/chains/chain-ports.ts';
import { commonFamilies } from '../../domain/chains/families.ts';
import { type HopPort, type HopWay, hopSetup } from '../../domain/chains/hop-setup.ts';
import { endsOf, upstreamOf } from '../../domain/chains/steering-plan.ts';
import { translatedAddresses, translatedBefore, translatingHops } from '../../domain/chains/translation.ts';
import { guestBridgeIndex, guestInterfaceIndex, guestInterfaceName } from '../../domain/guest-interface.ts';
import { type Family, formatAddress, parseCidr } from '../../domain/ip.ts';
import { type Interface, type NetworkChange, undo, without } from '../../domain/network-change.ts';
import { derivedMac, macOf } from '../../domain/port-plan.ts';
import type { NetworkSetup, PortSpec } from '../../domain/ports/network.ts';
import { type ChainRecord, idOf, type NetworkRecord, type VnfRecord } from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';
import { type Model, pathOf } from '../model.ts';

/** So many neighbours a hop is told of at each port: the kernel keeps 1024 for all namespaces together. */
const mostNeighbours = 8;

/** Makes guests pass on what a service chain sends through them. */
export class HopGuests {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** What a guest needs for its place in a service chain, undefined when it has none there. */
  setup(chain: ChainRecord, vnf: number): NetworkSetup | undefined {
    const found = instanceIn(chain.applied, vnf);
    const ends = chain.applied === undefined ? undefined : endsOf(chain.applied, this.#model.inventory.networks());
    if (found === undefined || ends === undefined) return undefined;
    const { hop, instance } = found;
    const { ingress, egress } = ends;
    return hopSetup({
      mode: hop.mode,
      intercepts: this.#model.intercepts(this.#model.inventory.vnf(vnf)?.type ?? ''),
      ingress: this.#port(chain, 'in', { serial: instance.ingressPort, network: ingress, other: egress, vnf }),
      egress: this.#port(chain, 'out', { serial: instance.egressPort, network: egress, other: ingress, vnf }),
      bridge: bridgeOf(idOf(instance.ingressPort)),
    });
  }

  /**
   * Tells a guest that has become a hop whom it will find at its ports, so that the first packets wait for no answer, which may get lost. Nothing depends on it. Its
   * ports have to be open: what is known of neighbours at one whose other end is down the kernel forgets.
   */
  async introduce(chain: ChainRecord, vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    await this.#run(vnf, { settings: [], changes: this.#neighbours(chain, vnf.serial) }, signal).catch((error: Error) => {
      this.#model.parts.logger.warn(`${pathOf(vnf)} has to ask for its neighbours in chns/${chain.name}: ${error.message}`);
    });
  }

  #neighbours(chain: ChainRecord, vnf: number): NetworkChange[] {
    const found = instanceIn(chain.applied, vnf);
    const ends = chain.applied === undefined ? undefined : endsOf(chain.applied, this.#model.inventory.networks());
    if (found?.hop.mode !== 'routed' || ends === undefined) return [];
    const { ingressPort, egressPort } = found.instance;
    const inner = { serial: ingressPort, network: ends.ingress, other: ends.egress, vnf };
    const outer = { serial: egressPort, network: ends.egress, other: ends.ingress, vnf };
    return [...this.#knownOn(this.#port(chain, 'in', inner), inner), ...this.#knownOn(this.#port(chain, 'out', outer), outer)];
  }

  /** Those on a network that run, routers first. */
  #knownOn({ interface: on, ways }: HopPort, { vnf: own, network }: Pick<HopPlace, 'vnf' | 'network'>): NetworkChange[] {
    const { forwards, runs } = this.#model.surroundings;
    const there = this.#model.inventory
      .portsOn(network.name)
      .filter(({ vnf, port }) => vnf.serial !== own && runs(vnf) && port.settings['state'] !== 'down');
    const routersFirst = there.toSorted((a, b) => Number(forwards(b.vnf.type)) - Number(forwards(a.vnf.type)));
    const { mountId } = this.#model.parts.store;
    const known = routersFirst.slice(0, mostNeighbours).flatMap((placed) =>
      addressesOf(placed.port)
        .map(parseCidr)
        .filter(({ family }) => ways[family] !== undefined)
        .map((address) => ({ address: formatAddress(address), mac: macOf(placed, mountId) })),
    );
    return known.map(({ address, mac }) => ({ verb: 'add', kind: 'neighbour', on, address, mac, hint: true }));
  }

  /** Does what a setup asks for and one that is done does not. @throws NetworkError (EIO) with what ip or nft said. */
  async add(
    vnf: VnfRecord,
    change: { readonly from: NetworkSetup | undefined; readonly to: NetworkSetup },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#run(vnf, added(change), signal);
    const tables = Object.entries(change.to.tables ?? {}).filter(([name, contents]) => change.from?.tables?.[name] !== contents);
    const made = tables.map(([name, contents]) => `${emptyTable(name)}delete table ip ${name}\ntable ip ${name} {\n${contents}\n}\n`);
    await this.#load(vnf, made, signal);
  }

  /**
   * The same, and the ports that a guest is to have for it, in one round.
   *
   * @returns false where nft's tables make that more than one round: nothing was done.
   * @throws NetworkError; then none of the ports is there.
   */
  async addWithPorts(
    vnf: VnfRecord,
    change: { readonly ports: readonly PortSpec[]; readonly to: NetworkSetup },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (change.to.tables !== undefined) return false;
    await this.#run(vnf, added({ from: undefined, to: change.to }), signal, change.ports);
    return true;
  }

  /** Takes back what one setup asked for and another does not. */
  async drop(
    vnf: VnfRecord,
    change: { readonly from: NetworkSetup; readonly to: NetworkSetup | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const changes = undo(without(change.from.changes, change.to?.changes ?? []));
    await this.#run(vnf, { settings: [], changes }, signal);
    const tables = Object.keys(change.from.tables ?? {}).filter((name) => change.to?.tables?.[name] === undefined);
    const deleted = tables.map((name) => `${emptyTable(name)}delete table ip ${name}\n`);
    await this.#load(vnf, deleted, signal);
  }

  async #run(vnf: VnfRecord, setup: NetworkSetup, signal: AbortSignal, ports: readonly PortSpec[] = []): Promise<void> {
    if (ports.length + setup.settings.length + setup.changes.length === 0) return;
    await this.#model.driverOf(vnf).changeNetwork(this.#model.ref(vnf), { ports, setup }, signal);
  }

  /** Loads nft's text, all of it or nothing. */
  async #load(vnf: VnfRecord, text: readonly string[], signal: AbortSignal): Promise<void> {
    if (text.length === 0) return;
    const command = { argv: ['nft', '-f', '-'], stdin: text.join('') };
    const { exitCode, stderr } = await this.#model.driverOf(vnf).executeInNetwork(this.#model.ref(vnf), command, { signal });
    if (exitCode === 0) return;
    throw new NfioError('NetworkError', {
      message: `${pathOf(vnf)} cannot be made to pass packets on: nft: ${stderr.split('\n')[0] || `exit status ${exitCode}`}`,
    });
  }

  #port(chain: ChainRecord, side: 'in' | 'out', place: HopPlace): HopPort {
    const { serial, network, other } = place;
    const id = idOf(serial);
    return {
      interface: { name: guestInterfaceName({ id, name: chainPortName(chain.name, side) }), index: guestInterfaceIndex({ id }) },
      number: serial,
      ways: Object.fromEntries(commonFamilies(network, other).map((family) => [family, this.#way(chain, { side, family, ...place })])),
    };
  }

  #way(chain: ChainRecord, place: HopPlace & { readonly side: 'in' | 'out'; readonly family: Family }): HopWay {
    const { serial, network, side, family } = place;
    const translation = side === 'in' ? { translated: this.#translatedBefore(chain, place) } : { own: this.#translated(chain, place) };
    const { mountId } = this.#model.parts.store;
    const subnet = subnetOf(network, family) ?? '';
    const upstream = upstreamOf(place, (name) => this.#model.inventory.portsOn(name));
    if (family === 4) return { address: chainPortAddress(serial), subnet, upstream, ...translation };
    const linkLocal = linkLocalAddress(derivedMac(mountId, serial));
    return { address: signingAddress(mountId, serial), linkLocal, subnet, upstream, ...translation };
  }

  /** Addresses that hops towards the ingress translate to, and the hardware address that what comes back to them is sent to. */
  #translatedBefore(
    { applied, serial }: ChainRecord,
    { vnf, other, family }: HopPlace & { readonly family: Family },
  ): NonNullable<HopWay['translated']> {
    const index = applied?.hops.findIndex(({ instances }) => instances.some((each) => each.vnf === vnf)) ?? -1;
    if (applied === undefined || index < 0) return [];
    const { mountId } = this.#model.parts.store;
    const before = translatedBefore(applied, { hop: index, network: other.name, family }, this.#model.translation);
    // Any that is nobody's: the fabric addresses packets to the hop itself.
    return before.map((address) => ({ address, mac: derivedMac(mountId, serial) }));
  }

  #translated({ applied }: ChainRecord, { vnf, network, family }: HopPlace & { readonly family: Family }): readonly string[] {
    const alone = applied !== undefined && translatingHops(applied).some(({ instances }) => instances[0]?.vnf === vnf);
    return alone ? translatedAddresses(vnf, { network: network.name, family }, this.#model.translation) : [];
  }
}

/** A port of a guest in a service chain: the network that it leads to, and the one at the other end. */
interface HopPlace {
  readonly vnf: number;
  readonly serial: number;
  readonly network: NetworkRecord;
  readonly other: NetworkRecord;
}

/** What one setup asks for and another does not. */
function added({ from, to }: { readonly from: NetworkSetup | undefined; readonly to: NetworkSetup }): NetworkSetup {
  if (from === undefined) return { ...to, changes: to.changes.flatMap(afresh) };
  const settings = to.settings.filter(([path]) => !from.settings.some(([known]) => known === path));
  return { settings, changes: without(to.changes, from.changes) };
}

/** Makes a table that is not there, so that it can be deleted whether it was there or not. */
function emptyTable(name: string): string {
  return `table ip ${name} { }\n`;
}

/**
 * A change of a guest of which nobody knows what it was told before. Rules go by the name of an interface, and may be left of one that had it
 * before: they are removed. The right one may be there too, and packets pass by it: another rule stands in meanwhile.
 */
function afresh(change: NetworkChange): NetworkChange[] {
  if (change.kind !== 'rule' || change.input === undefined || change.input === 'lo') return [change];
  const standIn: NetworkChange = { ...change, preference: change.preference - 1 };
  const removed = { verb: 'remove', table: undefined } as const;
  return [standIn, { ...change, ...removed }, change, { ...standIn, ...removed }];
}

function bridgeOf(id: string): Interface {
  return { name: `b${id}`, index: guestBridgeIndex({ id }) };
}
