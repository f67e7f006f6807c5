import { NfioError } from '../../errors/index.ts';
import { subnetsOf } from '../addressing.ts';
import { isLinkName } from '../names.ts';
import type { ChainRecord, HopMode, HopRecord, LinkRecord, NetworkRecord, VnfRecord } from '../records.ts';
import { commonFamilies } from './families.ts';
import { hopOfTarget, instanceOfTarget, type LinkPlace } from './link-target.ts';

/** Names of links with a meaning of their own. */
export const startLink = 'start';
export const nextLink = 'next';

/** What following a service chain depends on. */
export interface ChainSurroundings {
  /** Absolute path, for links whose text begins with it. */
  readonly mountpoint: string;
  vnf(type: string, name: string): VnfRecord | undefined;
  network(name: string): NetworkRecord | undefined;
}

/** A hop on the way of packets. */
export interface PathHop {
  readonly hop: HopRecord;
  readonly mode: HopMode;
  readonly instances: readonly VnfRecord[];
}

/** A service chain as its files say. */
export interface ChainPath {
  readonly ingress: NetworkRecord;
  readonly egress: NetworkRecord;
  readonly hops: readonly PathHop[];
}

/** Follows a service chain from its start. Pure; the first thing that is wrong ends it. */
export class ChainReader {
  readonly #chain: ChainRecord;
  readonly #around: ChainSurroundings;

  constructor(chain: ChainRecord, around: ChainSurroundings) {
    this.#chain = chain;
    this.#around = around;
  }

  /**
   * @param unreached whether hops that nothing leads to are wrong, or left out.
   * @throws InvalidValueError (EINVAL, ELOOP for a loop, ENOENT for what is not there) with the first thing that is wrong, naming the hop.
   */
  read(unreached: 'wrong' | 'left out' = 'wrong'): ChainPath {
    const ingress = this.#network('ingress');
    const egress = this.#network('egress');
    if (ingress.serial === egress.serial) throw wrong(`ingress and egress are both ${ingress.name}: traffic has nowhere to go`);
    if (commonFamilies(ingress, egress).length === 0) {
      const [first, last] = [ingress, egress].map((network) => `${network.name} has ${subnetsOf(network).join(' and ')}`);
      throw wrong(`${first} and ${last}: give both a subnet of one version of IP, packets are not translated`);
    }
    const hops = this.order();
    if (unreached === 'wrong') this.#checkReached(hops);
    const path = hops.map((hop) => this.#pathHop(hop));
    checkOnce(path);
    return { ingress, egress, hops: path };
  }

  /** The hops in order, as far as they can be followed. */
  orderSoFar(): readonly HopRecord[] {
    const hops: HopRecord[] = [];
    try {
      this.#follow((hop) => hops.push(hop));
    } catch {
      // what was found is what there is
    }
    return hops;
  }

  /** The hops in order. @throws as read does. */
  order(): readonly HopRecord[] {
    const hops: HopRecord[] = [];
    this.#follow((hop) => hops.push(hop));
    return hops;
  }

  #follow(visit: (hop: HopRecord) => void): void {
    const start = this.#chain.links.find(({ name }) => name === startLink);
    if (start === undefined) throw wrong('there is no start. Run, in the chain: ln -s HOP start');
    const seen = new Set<HopRecord>();
    let link: LinkRecord | undefined = start;
    let from: HopRecord | undefined;
    while (link !== undefined) {
      const hop = this.#hopOf(link, from);
      if (seen.has(hop)) throw wrong(`${hop.name} comes again after ${from?.name}: the chain never ends`, 'ELOOP');
      seen.add(hop);
      visit(hop);
      from = hop;
      link = hop.links.find(({ name }) => name === nextLink);
    }
  }

  #hopOf(link: LinkRecord, from: HopRecord | undefined): HopRecord {
    const name = hopOfTarget(link.target, this.#chain.name, this.#place(from));
    const hop = this.#chain.hops.find((each) => each.name === name);
    if (hop !== undefined) return hop;
    const where = from === undefined ? link.name : `${from.name}/${link.name}`;
    throw wrong(`${where} leads to ${shown(link.target)}, which is no hop of this chain`, 'ENOENT');
  }

  #place(hop: HopRecord | undefined): LinkPlace {
    const directory = hop === undefined ? `chns/${this.#chain.name}` : `chns/${this.#chain.name}/${hop.name}`;
    return { directory, mountpoint: this.#around.mountpoint };
  }

  #checkReached(hops: readonly HopRecord[]): void {
    const lost = this.#chain.hops.find((hop) => !hops.includes(hop));
    if (lost === undefined) return;
    const led = this.#chain.hops.some((hop) => hop.links.some((link) => this.leadsTo(link, hop, lost)));
    const why = led ? `hop ${lost.name} is not reached from start` : `nothing leads to hop ${lost.name}: the chain would have two starts`;
    throw wrong(`${why}; link it from the hop before it, or remove it`);
  }

  /** True when `start`, or a `next` of a hop, leads to a hop. */
  leadsTo(link: LinkRecord, from: HopRecord | undefined, hop: HopRecord): boolean {
    const leads = link.name === (from === undefined ? startLink : nextLink);
    return leads && hopOfTarget(link.target, this.#chain.name, this.#place(from)) === hop.name;
  }

  #pathHop(hop: HopRecord): PathHop {
    const links = hop.links.filter(isInstanceLink);
    if (links.length === 0)
      throw wrong(`hop ${hop.name} has no instance. Run, in the chain: ln -s MOUNTPOINT/nf-types/TYPE/NAME ${hop.name}/`, 'ENOENT');
    const instances = links.map((link) => this.#instance(hop, link));
    const [first] = instances;
    const other = instances.find(({ type }) => type !== first?.type);
    if (other !== undefined) {
      throw wrong(`hop ${hop.name} has instances of two types, ${first?.type} and ${other.type}: they cannot share its traffic`);
    }
    return { hop, mode: modeOf(hop), instances };
  }

  #instance(hop: HopRecord, link: LinkRecord): VnfRecord {
    const name = instanceOfTarget(link.target, this.#place(hop));
    const vnf = name === undefined ? undefined : this.#around.vnf(name.type, name.name);
    if (vnf !== undefined) return vnf;
    throw wrong(`hop ${hop.name}: ${link.name} leads to ${shown(link.target)}, which is no instance`, 'ENOENT');
  }

  #network(end: 'ingress' | 'egress'): NetworkRecord {
    const name = this.#chain.settings[end] ?? '';
    if (name === '') throw wrong(`there is no ${end}. Run, in the chain: echo NETWORK > ${end}`);
    const network = this.#around.network(name);
    if (network === undefined) throw wrong(`the ${end} ${name} is no network. Run: mkdir networks/${name}`, 'ENOENT');
    if (subnetsOf(network).length === 0) {
      throw wrong(`the ${end} ${name} has no subnet, which tells what is on it. Run: echo 10.1.0.0/24 > networks/${name}/subnet`);
    }
    return network;
  }
}

/** True for a link of a hop that leads to an instance; one under a name that nothing can have is about to be renamed. */
export function isInstanceLink({ name }: LinkRecord): boolean {
  return name !== nextLink && isLinkName(name);
}

/** How a hop takes part. */
export function modeOf(hop: HopRecord): HopMode {
  return (hop.settings['mode'] || 'routed') as HopMode;
}

function checkOnce(path: readonly PathHop[]): void {
  const seen = new Map<number, string>();
  for (const { hop, instances } of path) {
    for (const vnf of instances) {
      const before = seen.get(vnf.serial);
      const which = `nf-types/${vnf.type}/${vnf.name}`;
      if (before === hop.name) throw wrong(`hop ${hop.name} has ${which} twice`);
      if (before !== undefined) throw wrong(`${which} is in hop ${before} and again in hop ${hop.name}: packets would pass it twice`);
      seen.set(vnf.serial, hop.name);
    }
  }
}

function wrong(message: string, errno: 'EINVAL' | 'ELOOP' | 'ENOENT' = 'EINVAL'): NfioError {
  return new NfioError('InvalidValueError', { message, errno });
}

function shown(target: string): string {
  return target.length > 200 ? `${target.slice(0, 197)}...` : target;
}
