import { loadavg } from 'node:os';
import type { HostReport } from '../../domain/ports/hypervisor.ts';
import { asNfioError } from './failure.ts';
import type { HostLink } from './host-link.ts';
import { procedures } from './rpc/procedures.ts';

/** What a machine has, and how much of it is in use. Loads are averages of 1, 5 and 15 minutes (proc_loadavg(5)), of this machine only. */
export async function hostReport(link: HostLink, signal: AbortSignal): Promise<HostReport> {
  try {
    const { cpus, memoryKiB } = await link.call(procedures.nodeGetInfo, [], signal);
    const memoryFree = await link.call(procedures.nodeGetFreeMemory, [], signal);
    const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
    const load = { ...(link.isLocal ? { load1, load5, load15 } : {}), memory_free_bytes: memoryFree };
    return { capacity: { vcpu: cpus, memory_bytes: memoryKiB * 1024 }, load };
  } catch (error) {
    throw asNfioError('HypervisorConnectionError', `libvirt at ${link.address || 'this machine'}`, error);
  }
}
