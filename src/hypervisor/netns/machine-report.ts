import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { HostReport } from '../../domain/ports/hypervisor.ts';

/** What this machine has, and how much of it is in use. Loads are averages of 1, 5 and 15 minutes (proc_loadavg(5)). */
export function machineReport(): HostReport {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  return {
    capacity: { vcpu: availableParallelism(), memory_bytes: totalmem() },
    load: { load1, load5, load15, memory_free_bytes: freemem() },
  };
}
