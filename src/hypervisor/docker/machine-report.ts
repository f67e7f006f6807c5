import type { HostReport } from '../../domain/ports/hypervisor.ts';
import type { Engine } from './engine/index.ts';
import { engineInfo } from './engine-info.ts';

/** What the machine of an engine has, and what runs there. */
export async function machineReport(engine: Engine, signal: AbortSignal): Promise<HostReport> {
  const info = await engineInfo(engine, signal);
  return {
    capacity: { vcpu: info.NCPU, memory_bytes: info.MemTotal },
    load: { containers: info.Containers, containers_running: info.ContainersRunning },
  };
}
