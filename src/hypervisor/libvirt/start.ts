import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { type Fabric, makeTaps, moveTaps, removeTaps } from '../../network/index.ts';
import { defineVm } from './define.ts';
import { queues } from './domain-xml.ts';
import type { Guest } from './guest.ts';
import { setUp } from './guest-access.ts';
import { procedures } from './rpc/procedures.ts';

/** VIR_DOMAIN_START_PAUSED */
const startPaused = 1;
const undoTimeoutMs = 30_000;

/**
 * Starts the virtual machine of a guest. It is held at its first instruction until its ports are where they belong: nothing it sends
 * ever reaches the machine's own network stack. An image that says it has an agent is waited for until that has set it up.
 */
export async function startVm(
  guest: Guest,
  spec: GuestSpec,
  how: { readonly mountId: string; readonly fabric: Fabric; readonly signal: AbortSignal; readonly onBoot: () => void },
): Promise<void> {
  const { fabric, signal } = how;
  const { size, image } = await defineVm(guest, spec, how);
  const { link, domain } = guest;
  try {
    await makeTaps(spec.ports, { fabric, queues: queues(size.vcpus) }, signal);
    await link.call(procedures.domainCreateWithFlags, [domain, startPaused], signal);
    await moveTaps(spec.ports, fabric, signal);
    guest.started(spec, size);
    if (spec.guarded !== true) await fabric.open(spec.ports);
    await link.call(procedures.domainResume, [domain], signal);
    guest.take({ state: 1, reason: 0 });
    if (image.agent) await boot(guest, how);
    // It has its addresses from now on.
    if (image.agent && spec.guarded !== true) await fabric.announce(spec.ports);
  } catch (error) {
    await undoStart(guest, spec, fabric);
    throw error;
  }
}

/** Waits until its agent has set a guest up; who watches the guest sees meanwhile that it boots. */
async function boot(guest: Guest, { signal, onBoot }: { readonly signal: AbortSignal; readonly onBoot: () => void }): Promise<void> {
  guest.booting = true;
  try {
    onBoot();
    await setUp(guest, signal);
  } finally {
    guest.booting = false;
  }
}

async function undoStart({ link, domain }: Guest, spec: GuestSpec, fabric: Fabric): Promise<void> {
  const signal = AbortSignal.timeout(undoTimeoutMs);
  await link.call(procedures.domainDestroyFlags, [domain, 0], signal).catch(() => undefined); // it does not run
  await removeTaps(spec.ports, fabric, signal).catch(() => undefined); // there is none
}

/** What is left of a guarded guest while it ends, or boots again, passes on nothing. */
export async function closePorts(guest: Guest, fabric: Fabric): Promise<void> {
  if (!guest.guarded || !guest.isActive) return;
  await fabric.close(guest.ports);
  guest.closedAll();
}
