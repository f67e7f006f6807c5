/**
 * nf.io as a library. The FUSE protocol is a subpath of its own, `nfio/fuse`.
 *
 * @module
 */
import './check-node.ts';

export { type MountOptions, type MountRequest, type RunningDaemon, startDaemon } from './daemon/index.ts';
export { HypervisorBase } from './domain/hypervisor-base.ts';
export type * from './domain/ports/hypervisor.ts';
export type { Logger } from './domain/ports/logger.ts';
export type { NetworkDriver, PortSpec, SegmentSpec } from './domain/ports/network.ts';
export { DockerDriver, type DockerDriverOptions } from './hypervisor/docker/index.ts';
export { LibvirtDriver, type LibvirtDriverOptions } from './hypervisor/libvirt/index.ts';
export { NetnsDriver } from './hypervisor/netns/index.ts';
export { type GuestSpecOptions, makeGuestSpec } from './library/guest-spec.ts';
export { HypervisorFactory, type HypervisorType } from './library/hypervisor-factory.ts';
export type { HypervisorOptions } from './library/hypervisor-options.ts';
export { Nfio, type NfioOptions } from './library/nfio.ts';
export { type InstanceConfiguration, VnfsOperations } from './library/vnfs-operations.ts';
export * from './middleboxes/for-modules.ts';
export { Fabric, FabricNetwork } from './network/index.ts';
