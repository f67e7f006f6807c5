import { join } from 'node:path';
import { DockerDriver } from '../hypervisor/docker/index.ts';
import { LibvirtDriver } from '../hypervisor/libvirt/index.ts';
import { NetnsDriver } from '../hypervisor/netns/index.ts';
import { ModuleLoader } from '../middleboxes/loader.ts';
import { Fabric, FabricNetwork, limitHolds } from '../network/index.ts';
import { EventLog } from '../orchestrator/event-log.ts';
import type { ModelParts } from '../orchestrator/model-parts.ts';
import { Orchestrator } from '../orchestrator/orchestrator.ts';
import { VerbNotes } from '../orchestrator/verb-notes.ts';
import { FileStore } from '../state/file-store.ts';
import { descriptorBudget } from '../vfs/descriptor-limit.ts';
import { type MountOptions, runtimeDirectory } from './options.ts';
import { userNumber } from './user-number.ts';

/** Builds a mount's parts. The root's lock is the supervisor's. */
export async function compose(
  options: MountOptions,
  parts: Pick<ModelParts, 'logger' | 'listener' | 'shown' | 'mountedMs'>,
): Promise<Orchestrator> {
  const { logger, listener, shown, mountedMs } = parts;
  const { hypervisor, dockerSocket, insecureEngines, libvirtUri } = options;
  limitHolds(descriptorBudget().holds);
  const store = await FileStore.open(options.root, { locked: true, logger });
  const fabric = new Fabric(store.mountId);
  const context = { mountId: store.mountId, runDir: join(runtimeDirectory, store.mountId), logger };
  return new Orchestrator({
    store,
    hypervisor,
    mountpoint: options.mountpoint,
    mountedMs,
    drivers: {
      netns: new NetnsDriver(context, fabric),
      docker: new DockerDriver({ ...context, dockerSocket, insecureEngines, isDefault: hypervisor === 'docker' }, fabric),
      libvirt: new LibvirtDriver({ ...context, libvirtUri, isDefault: hypervisor === 'libvirt' }, fabric),
    },
    network: new FabricNetwork(fabric),
    userNumber,
    middleboxes: new ModuleLoader({ userRoot: options.modules, logger }),
    verbNotes: new VerbNotes(join(context.runDir, 'verbs')),
    events: new EventLog(store.eventsPath, { logger, now: () => new Date() }),
    logger,
    listener,
    shown,
  });
}
