import type { GuestLimits } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { memoryOf } from '../default-limits.ts';

/** Docker takes no less. */
const minMemoryBytes = 6 * 1024 * 1024;
const periodUsec = 100_000;
const minQuotaUsec = 1000; // the kernel takes no less
const maxProcessors = 100_000;
/** There is no way to take a limit on memory away; this one, the kernel cuts down to what it can count. */
const unlimitedMemory = Number.MAX_SAFE_INTEGER;

/** Limits as the Engine API takes them, at creation and for a container that lives. */
export interface ContainerLimits {
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly Memory: number;
  /** Memory and swap together: what a guest may not hold in memory it may not hold in swap either. */
  readonly MemorySwap: number;
}

/**
 * Limits of a container that is there. On this machine, whose memory is known, it has one for its memory in any case.
 *
 * @throws InvalidValueError (EINVAL) for what no guest can live with.
 */
export function containerLimits({ vcpu, memoryBytes }: GuestLimits, local: boolean): ContainerLimits {
  if ((vcpu !== undefined && !(vcpu > 0)) || (memoryBytes !== undefined && !(memoryBytes >= minMemoryBytes))) {
    throw new NfioError('InvalidValueError', { message: 'a container needs more than 0 processors and at least 6 MiB of memory' });
  }
  const quota = vcpu === undefined ? -1 : Math.max(minQuotaUsec, Math.round(Math.min(vcpu, maxProcessors) * periodUsec));
  const memory = Math.min(Math.floor(memoryBytes ?? (local ? memoryOf({ memoryBytes }) : unlimitedMemory)), unlimitedMemory);
  return { CpuPeriod: periodUsec, CpuQuota: quota, Memory: memory, MemorySwap: memoryBytes === undefined ? -1 : memory };
}

/** Limits of a container that is being made, which has those alone that are set, and that of its memory. @throws InvalidValueError as containerLimits does. */
export function initialLimits(limits: GuestLimits, local: boolean): Partial<ContainerLimits> {
  const { CpuPeriod, CpuQuota, Memory, MemorySwap } = containerLimits(limits, local);
  return {
    ...(limits.vcpu === undefined ? {} : { CpuPeriod, CpuQuota }),
    ...(limits.memoryBytes === undefined && !local ? {} : { Memory, MemorySwap }),
  };
}
