import { totalmem } from 'node:os';
import type { GuestLimits } from '../domain/ports/hypervisor.ts';

/** Of the machine's memory a guest may take so much for which nobody set `vm.memory`: one that runs away leaves room for others. */
const share = 1 / 2;

/** The memory of a guest on this machine, bytes. */
export function memoryOf({ memoryBytes }: Pick<GuestLimits, 'memoryBytes'>): number {
  return memoryBytes ?? Math.floor(totalmem() * share);
}
