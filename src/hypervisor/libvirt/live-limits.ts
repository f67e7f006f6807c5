import type { GuestLimits } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { quotaPeriodUsec, quotaUsec } from './domain-xml.ts';
import { asNfioError } from './failure.ts';
import { live } from './flags.ts';
import type { Guest } from './guest.ts';
import { vmSize } from './limits.ts';
import { isLibvirtError } from './rpc/libvirt-error.ts';
import { procedures } from './rpc/procedures.ts';

/** VIR_DOMAIN_STATS_BALLOON */
const balloonStats = 4;
const unlimited = -1;

/**
 * Gives a running virtual machine other limits: memory through its balloon, processor time by quota.
 *
 * @throws UnsupportedError (EOPNOTSUPP) for more than it was started with, BusyError for less memory than it uses.
 */
export async function setVmLimits(guest: Guest, limits: GuestLimits, signal: AbortSignal): Promise<void> {
  const { record, link, domain, ref } = guest;
  const size = vmSize(limits);
  if (limits.vcpu !== undefined && size.vcpus > record.vcpus)
    throw tooMuch(ref.name, 'vcpu', record.vcpus === 1 ? 'one processor' : `${record.vcpus} processors`);
  const memoryBytes = limits.memoryBytes ?? record.memoryBytes;
  if (memoryBytes > record.memoryBytes) throw tooMuch(ref.name, 'memory', `${record.memoryBytes} bytes`);
  await checkMemory(guest, memoryBytes, signal);
  try {
    await link.call(procedures.domainSetMemoryFlags, [domain, Math.ceil(memoryBytes / 1024), live], signal);
    const share = (limits.vcpu ?? record.vcpus) / record.vcpus;
    const quota = share < 1 ? quotaUsec(share) : unlimited;
    const parameters = [
      { name: 'vcpu_period', type: 'uhyper', value: quotaPeriodUsec },
      { name: 'vcpu_quota', type: 'hyper', value: quota },
    ] as const;
    await link.call(procedures.domainSetSchedulerParametersFlags, [domain, parameters, live], signal);
  } catch (error) {
    throw asNfioError(
      isLibvirtError(error, 'OPERATION_INVALID') ? 'UnsupportedError' : 'InvalidValueError',
      `limits of ${ref.name}`,
      error,
    );
  }
}

/** A balloon that takes what is in use would have the guest kill its own processes. */
async function checkMemory(guest: Guest, memoryBytes: number, signal: AbortSignal): Promise<void> {
  const [stats] = await guest.link.call(procedures.connectGetAllDomainStats, [[guest.domain], balloonStats, 0], signal);
  const value = (name: string): number | undefined => {
    const found = stats?.parameters.find((parameter) => parameter.name === `balloon.${name}`)?.value;
    return typeof found === 'number' ? found * 1024 : undefined;
  };
  const [current, usable] = [value('current'), value('usable')];
  if (current === undefined || usable === undefined || memoryBytes >= current - usable) return;
  throw new NfioError('BusyError', {
    message: `${guest.ref.name} uses ${current - usable} bytes of memory: vm.memory cannot be ${memoryBytes}`,
  });
}

function tooMuch(name: string, what: string, has: string): NfioError {
  return new NfioError('UnsupportedError', {
    message: `${name} was started with ${has}, and a virtual machine that runs gets no more: stop it, write vm.${what}, start it`,
  });
}
