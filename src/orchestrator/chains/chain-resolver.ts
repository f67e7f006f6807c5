import { ownerOf } from '../../domain/authority.ts';
import { type ChainPath, ChainReader, type ChainSurroundings, type PathHop } from '../../domain/chains/chain-path.ts';
import { chainPortName, instanceIn } from '../../domain/chains/chain-ports.ts';
import { checkConflicts } from '../../domain/chains/conflicts.ts';
import { commonFamilies, familiesOf } from '../../domain/chains/families.ts';
import type { SteeringWorld } from '../../domain/chains/steering-plan.ts';
import { translatedAddresses } from '../../domain/chains/translation.ts';
import { guestInterfaceName } from '../../domain/guest-interface.ts';
import { verbThatRuns } from '../../domain/lifecycle.ts';
import {
  type AppliedChain,
  type AppliedInstance,
  type ChainRecord,
  type FailurePolicy,
  idOf,
  type VnfRecord,
} from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';
import { type Model, pathOf } from '../model.ts';
import { requireMay } from '../require.ts';
import { checkSharing } from './sharing.ts';

/** Priority of a service chain whose user set none. */
export const defaultPriority = '100';

/** VNFs and networks as they are now. */
export function steeringWorld(model: Model): SteeringWorld {
  return {
    ...model.translation,
    mountId: model.parts.store.mountId,
    forwards: (type) => model.forwards(type),
    network: (name) => model.inventory.network(name),
    networks: () => model.inventory.networks(),
    runs: (serial) => {
      const vnf = model.inventory.vnf(serial);
      return vnf !== undefined && mayRunHere(model, vnf);
    },
  };
}

/** True for a VNF whose guest runs on this machine, where the fabric is. */
export function runsHere(model: Model, vnf: VnfRecord): boolean {
  return ['running', 'paused'].includes(model.state(vnf)) && model.address(vnf) === '';
}

/** The same, and true for one whose hypervisor cannot be asked: guests go on without it, and so does their traffic. */
export function mayRunHere(model: Model, vnf: VnfRecord): boolean {
  return runsHere(model, vnf) || (model.state(vnf) === 'unknown' && model.address(vnf) === '');
}

/** What following a service chain depends on, as it is now. */
export function chainSurroundings(model: Model): ChainSurroundings {
  return {
    mountpoint: model.parts.mountpoint,
    vnf: (type, name) => model.inventory.vnfNamed(type, name),
    network: (name) => model.inventory.network(name),
  };
}

/** Turns what the files of a service chain say into what traffic can be steered by. */
export class ChainResolver {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /**
   * @param options.unreached whether hops that nothing leads to are wrong, or left out.
   * @throws InvalidValueError with the first thing that is wrong, NotPermittedError (EPERM) for what is not its owner's, VNFNotRunningError (ENODEV) for a hop that is new and does not run, BusyError
   *   (EEXIST) for an active chain that can match the same packets.
   */
  async resolve(
    chain: ChainRecord,
    options: { readonly unreached: 'wrong' | 'left out'; readonly signal: AbortSignal },
  ): Promise<AppliedChain> {
    const path = new ChainReader(chain, chainSurroundings(this.#model)).read(options.unreached);
    this.#checkAuthority(chain, path);
    this.#checkGuests(chain, path);
    for (const hop of path.hops) {
      this.#checkSharing(hop, path);
      this.#checkTranslation(hop, path);
    }
    const match = await this.#model.parts.network.checkMatch(chain.settings['match'] ?? '', options.signal);
    familiesOf(path, match);
    const applied: AppliedChain = {
      ingress: path.ingress.serial,
      egress: path.egress.serial,
      match,
      priority: Number(chain.settings['priority'] || defaultPriority),
      failure: (chain.settings['policy/failure'] || 'closed') as FailurePolicy,
      hops: path.hops.map((hop) => this.#hop(chain, hop)),
    };
    checkConflicts({ serial: chain.serial, applied }, this.#model.inventory.chains(), steeringWorld(this.#model));
    return applied;
  }

  #hop(chain: ChainRecord, { hop, mode, instances }: PathHop): AppliedChain['hops'][number] {
    return { serial: hop.serial, name: hop.name, mode, instances: instances.map((vnf) => this.#instance(chain, vnf)) };
  }

  /** A VNF that stays keeps its ports. */
  #instance(chain: ChainRecord, { serial }: VnfRecord): AppliedInstance {
    const known = instanceIn(chain.applied, serial)?.instance;
    if (known !== undefined) return known;
    const { store } = this.#model.parts;
    return { vnf: serial, ingressPort: store.nextSerial(), egressPort: store.nextSerial() };
  }

  /** Files are authority: a service chain takes traffic from networks, and gives VNFs ports, that its owner could have changed too. */
  #checkAuthority(chain: ChainRecord, { ingress, egress, hops }: ChainPath): void {
    for (const record of [ingress, egress, ...hops.flatMap(({ instances }) => instances)]) {
      requireMay(ownerOf(chain), 'steer', { chain, record });
    }
  }

  #checkGuests(chain: ChainRecord, { hops }: ChainPath): void {
    for (const { hop, instances } of hops) {
      for (const vnf of instances) if (instanceIn(chain.applied, vnf.serial) === undefined) this.#checkGuest(chain, hop.name, vnf);
    }
  }

  #checkGuest(chain: ChainRecord, hop: string, vnf: VnfRecord): void {
    const state = this.#model.state(vnf);
    if (state !== 'running' && state !== 'paused') {
      const verb = verbThatRuns(state);
      const remedy = verb === undefined ? '' : `. Run: echo ${verb} > ${pathOf(vnf)}/action`;
      throw new NfioError('VNFNotRunningError', { message: `hop ${hop}: ${pathOf(vnf)} is ${state}${remedy}` });
    }
    if (this.#model.address(vnf) !== '') {
      throw new NfioError('UnsupportedError', {
        message: `hop ${hop}: ${pathOf(vnf)} is on another machine, and traffic is steered on this one only. Destroy it, and run: echo > ${pathOf(vnf)}/machine/ip`,
      });
    }
    this.#checkPortNames(chain, hop, vnf);
  }

  #checkSharing({ hop, mode, instances }: PathHop, { ingress, egress }: ChainPath): void {
    const [first, ...more] = instances;
    if (first === undefined || more.length === 0) return;
    checkSharing({ name: hop.name, mode, type: first.type, ingress, egress }, this.#model);
  }

  /** What comes back to a hop that translates has to find it on the egress. */
  #checkTranslation({ hop, mode, instances }: PathHop, { ingress, egress }: ChainPath): void {
    const [vnf] = instances;
    if (vnf === undefined || mode !== 'routed' || this.#model.translation.translates?.(vnf.type) !== true) return;
    const which = pathOf(vnf);
    const families = commonFamilies(ingress, egress);
    if (families.some((family) => translatedAddresses(vnf.serial, { network: egress.name, family }, this.#model.translation).length > 0))
      return;
    const port = `${which}/ports/${egress.name}`;
    throw new NfioError('InvalidValueError', {
      message: `hop ${hop.name}: ${which} translates addresses, and has none on ${egress.name} for what comes back. Run: mkdir ${port}; echo ${egress.name} > ${port}/network; echo ADDRESS > ${port}/address`,
    });
  }

  #checkPortNames(chain: ChainRecord, hop: string, vnf: VnfRecord): void {
    const names = [chainPortName(chain.name, 'in'), chainPortName(chain.name, 'out')];
    const taken = vnf.ports.find((port) => names.includes(guestInterfaceName({ id: idOf(port.serial), name: port.name })));
    if (taken === undefined) return;
    throw new NfioError('BusyError', {
      errno: 'EEXIST',
      message: `hop ${hop}: ${pathOf(vnf)} has a port ${taken.name} already, the name that it would have in this service chain. Run: mv chns/${chain.name} chns/OTHER`,
    });
  }
}
