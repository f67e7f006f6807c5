import { chainPortAddress, chainPortName, instanceIn } from '../../domain/chains/chain-ports.ts';
import { type HopPort, hopSetup, undoCommands } from '../../domain/chains/hop-setup.ts';
import { endsOf, upstreamOf } from '../../domain/chains/steering-plan.ts';
import { guestInterfaceName } from '../../domain/interface-name.ts';
import { failureIn, networkScript } from '../../domain/network-script.ts';
import type { NetworkSetup, PortSpec } from '../../domain/ports/network.ts';
import { type ChainRecord, idOf, type NetworkRecord, type VnfRecord } from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';
import { type Model, pathOf } from '../model.ts';

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
      ingress: this.#port(chain, 'in', { serial: instance.ingressPort, network: ingress, other: egress }),
      egress: this.#port(chain, 'out', { serial: instance.egressPort, network: egress, other: ingress }),
      bridge: `b${idOf(instance.ingressPort)}`,
    });
  }

  /** Does what a setup asks for and one that is done does not. @throws NetworkError (EIO) with what ip said. */
  async add(
    vnf: VnfRecord,
    change: { readonly from: NetworkSetup | undefined; readonly to: NetworkSetup },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#run(vnf, added(change), signal);
  }

  /**
   * The same, and the ports that a guest is to have for it, in one round.
   *
   * @returns false when its driver does these one by one: nothing was done.
   * @throws NetworkError; then none of the ports is there.
   */
  async addWithPorts(
    vnf: VnfRecord,
    change: { readonly ports: readonly PortSpec[]; readonly to: NetworkSetup },
    signal: AbortSignal,
  ): Promise<boolean> {
    const driver = this.#model.driverOf(vnf);
    if (driver.addPorts === undefined) return false;
    await driver.addPorts(this.#model.ref(vnf), { ports: change.ports, setup: added({ from: undefined, to: change.to }) }, signal);
    return true;
  }

  /** Takes back what one setup asked for and another does not. */
  async drop(
    vnf: VnfRecord,
    change: { readonly from: NetworkSetup; readonly to: NetworkSetup | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const commands = change.from.commands.filter((command) => !change.to?.commands.includes(command));
    await this.#run(vnf, { settings: [], commands: undoCommands(commands) }, signal);
  }

  async #run(vnf: VnfRecord, { settings, commands }: NetworkSetup, signal: AbortSignal): Promise<void> {
    if (settings.length + commands.length === 0) return;
    const command = { argv: ['sh', '-c', networkScript, 'nfio-hop', ...settings.flat()], stdin: `${commands.join('\n')}\n` };
    const result = await this.#model.driverOf(vnf).executeInNetwork(this.#model.ref(vnf), command, { signal });
    const failed = failureIn(result.stderr, commands);
    if (result.exitCode <= 1 && failed === undefined) return;
    throw new NfioError('NetworkError', {
      message: `${pathOf(vnf)} cannot be made to pass packets on: ${failed ?? (result.stderr.split('\n')[0] || `exit status ${result.exitCode}`)}`,
    });
  }

  #port(
    chain: ChainRecord,
    side: 'in' | 'out',
    place: { readonly serial: number; readonly network: NetworkRecord; readonly other: NetworkRecord },
  ): HopPort {
    const { serial, network, other } = place;
    return {
      interfaceName: guestInterfaceName({ id: idOf(serial), name: chainPortName(chain.name, side) }),
      number: serial,
      address: chainPortAddress(serial),
      subnet: network.settings['subnet'] ?? '',
      upstream: upstreamOf(network, other, (name) => this.#model.inventory.portsOn(name)),
    };
  }
}

/** What one setup asks for and another does not. Rules go by the name of an interface: those of one that had it before may be left after a crash. */
function added({ from, to }: { readonly from: NetworkSetup | undefined; readonly to: NetworkSetup }): NetworkSetup {
  const settings = to.settings.filter(([path]) => !from?.settings.some(([known]) => known === path));
  const commands = to.commands.filter((command) => !from?.commands.includes(command));
  return { settings, commands: [...(from === undefined ? leftOverRules(to.commands) : []), ...commands] };
}

function leftOverRules(commands: readonly string[]): string[] {
  return commands
    .filter((command) => / iif (?!lo )/.test(command))
    .map((command) => command.replace(' add ', ' del ').replace(/ lookup .*/, ''));
}
