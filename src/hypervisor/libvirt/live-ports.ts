import { setTimeout as sleep } from 'node:timers/promises';
import { guestInterfaceName } from '../../domain/guest-interface.ts';
import type { NetworkSetup, PortSpec } from '../../domain/ports/network.ts';
import { NfioError } from '../../errors/index.ts';
import { changeEnds, type Fabric, machineTapName, makeTaps, moveTaps, type PortChange, removeTaps, shapeTap } from '../../network/index.ts';
import { interfaceXml, queues } from './domain-xml.ts';
import { live } from './flags.ts';
import type { Guest } from './guest.ts';
import { runner, setUp } from './guest-access.ts';
import { changeInGuest, type RunInGuest, setUpPorts, setUpPortsAnd } from './guest-setup.ts';
import { procedures } from './rpc/procedures.ts';

const unplugTimeoutMs = 10_000;

interface PlugOptions {
  readonly fabric: Fabric;
  readonly ports: readonly PortSpec[];
  /** Those that are open in the end. */
  readonly opens: readonly PortSpec[];
  readonly inGuest: (run: RunInGuest) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Adds, changes or removes a port of a running virtual machine.
 *
 * @throws NetworkError with what ip said; a port that could not be added is not there, one that could not be changed is as before.
 */
export async function changeVmPort(guest: Guest, fabric: Fabric, change: PortChange, signal: AbortSignal): Promise<void> {
  const { before, after } = change;
  if (after === undefined) return before && unplug(guest, fabric, before, signal);
  if (before === undefined || before.id !== after.id || guestInterfaceName(before) !== guestInterfaceName(after)) {
    if (before !== undefined) await unplug(guest, fabric, before, signal);
    const opens = guest.guarded ? [] : [after];
    return plug(guest, { fabric, ports: [after], opens, signal, inGuest: (run) => setUpPorts(run, [after]) });
  }
  const inGuest = async (lines: readonly string[]): Promise<void> => {
    if (lines.length === 0) return;
    await setUp(guest, signal);
    await changeInGuest(runner(guest, signal), lines);
  };
  const shape = (port: PortSpec): Promise<void> => shapeTap(fabric, port, signal);
  await changeEnds(fabric, { before, after }, { guarded: guest.guarded, closed: guest.closed, inGuest, shape });
}

/**
 * Adds ports to a running virtual machine, if any, and changes its network besides.
 *
 * @throws NetworkError with what ip said; then none of the ports is there.
 */
export async function changeVmNetwork(
  guest: Guest,
  fabric: Fabric,
  { ports, setup }: { readonly ports: readonly PortSpec[]; readonly setup: NetworkSetup },
  signal: AbortSignal,
): Promise<void> {
  await plug(guest, { fabric, ports, opens: ports, signal, inGuest: (run) => setUpPortsAnd(run, ports, setup) });
}

/** `inGuest` is what is done there once the guest has the interfaces. */
async function plug(guest: Guest, { fabric, ports, opens, inGuest, signal }: PlugOptions): Promise<void> {
  const vm = { mountId: fabric.mountId, vcpus: guest.record.vcpus };
  await setUp(guest, signal);
  await makeTaps(ports, { fabric, queues: queues(vm.vcpus) }, signal);
  try {
    for (const port of ports)
      await guest.link.call(procedures.domainAttachDeviceFlags, [guest.domain, interfaceXml(port, vm), live], signal);
    await moveTaps(ports, fabric, signal);
    await inGuest(runner(guest, signal));
    await fabric.open(opens);
  } catch (error) {
    for (const port of ports)
      await unplug(guest, fabric, port, signal).catch(() => removeTaps([port], fabric, signal).catch(() => undefined));
    throw error;
  }
}

/** The guest has a say in this: it is asked to let go of the device, and waited for. */
async function unplug(guest: Guest, fabric: Fabric, port: PortSpec, signal: AbortSignal): Promise<void> {
  const { mountId } = fabric;
  const description = interfaceXml(port, { mountId, vcpus: guest.record.vcpus });
  await guest.link.call(procedures.domainDetachDeviceFlags, [guest.domain, description, live], signal);
  const end = performance.now() + unplugTimeoutMs;
  while (await hasInterface(guest, machineTapName(mountId, port.id), signal)) {
    if (performance.now() > end) {
      throw new NfioError('NetworkError', {
        errno: 'ETIMEDOUT',
        message: `${guest.ref.name} does not let go of port ${port.name}: stop it to remove the port`,
      });
    }
    await sleep(50, undefined, { signal });
  }
  await removeTaps([port], fabric, signal);
}

async function hasInterface(guest: Guest, tap: string, signal: AbortSignal): Promise<boolean> {
  const description = await guest.link.call(procedures.domainGetXmlDesc, [guest.domain, 0], signal);
  return description.includes(`'${tap}'`);
}
