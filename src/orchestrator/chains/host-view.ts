import type { PlacedPort } from '../../domain/addressing.ts';
import { guestInterfaceName } from '../../domain/guest-interface.ts';
import { idOf, type NetworkRecord } from '../../domain/records.ts';
import { type Model, pathOf } from '../model.ts';

/** A host at one end of a service chain, and an address at the other. */
export interface HostView {
  readonly host: PlacedPort;
  readonly network: NetworkRecord;
  readonly own: string;
  readonly far: string;
}

/**
 * Asks a host's own kernel where it would send packets: a service chain sees those only that come onto its network.
 *
 * @returns why they do not, in words with a remedy; empty when they do, when the VNF forwards (its routes are its owner's) and when it cannot be asked.
 */
export async function whyUnused(model: Model, view: HostView, signal: AbortSignal): Promise<string> {
  const { host, network, own, far } = view;
  if (model.forwards(host.vnf.type)) return '';
  const argv = ['ip', '-o', 'route', 'get', far, 'from', own];
  const asked = model.driverOf(host.vnf).executeInNetwork(model.ref(host.vnf), { argv }, { signal });
  const result = await asked.catch(() => undefined);
  if (result === undefined || result.exitCode === 127) return '';
  const [, device] = / dev (\S+)/.exec(result.stdout) ?? [];
  const name = guestInterfaceName({ id: idOf(host.port.serial), name: host.port.name });
  if (result.exitCode === 0 && device === name) return '';
  const said = result.exitCode === 0 ? `it goes by ${device ?? 'no port'}` : (result.stderr.trim().split('\n')[0] ?? '');
  return `${pathOf(host.vnf)} does not send what is for ${far} onto ${network.name}: ${said}. Name a gateway: echo ADDRESS > networks/${network.name}/gateway`;
}
