import type { HostReport } from '../../domain/ports/hypervisor.ts';
import type { Engine } from './engine/index.ts';

/** What `GET /info` tells, as far as it is read. */
interface EngineInfo {
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly Containers: number;
  readonly ContainersRunning: number;
}

/** What the machine of an engine has, and what runs there. */
export async function machineReport(engine: Engine, signal: AbortSignal): Promise<HostReport> {
  const info = await engine.json<EngineInfo>({ method: 'GET', path: '/info', timeoutMs: 5000 }, signal);
  return {
    capacity: { vcpu: info.NCPU, memory_bytes: info.MemTotal },
    load: { containers: info.Containers, containers_running: info.ContainersRunning },
  };
}
