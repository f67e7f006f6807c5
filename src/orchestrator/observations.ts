import { unclearRoute } from '../domain/default-routes.ts';
import { type VnfState, verbsFor } from '../domain/lifecycle.ts';
import type { Middlebox } from '../domain/middlebox.ts';
import type { HostObservation, NetworkObservation, QuotaObservation, VnfObservation } from '../domain/observation.ts';
import { hostAddress, hypervisorOf } from '../domain/placement.ts';
import { isAsWanted } from '../domain/port-plan.ts';
import type { CounterSource, GuestRef } from '../domain/ports/hypervisor.ts';
import type { HostRecord, NetworkRecord, QuotaRecord, VnfRecord } from '../domain/records.ts';
import { lastLogPath } from './last-log.ts';
import { limitsFor } from './room.ts';
import { errorOf } from './runtime.ts';
import type { World } from './world.ts';

/** Finds out what the tree shows of a VNF. */
export function observeVnf(world: World, vnf: VnfRecord): VnfObservation {
  const runtime = world.runtime(vnf.serial);
  const { ip, id, hidden, hasDomain, busy } = runtime;
  const middlebox = world.loadedMiddlebox(vnf.type);
  const ref = world.ref(vnf);
  const driver = world.driverOf(vnf);
  const state = world.state(vnf);
  return {
    state,
    word: stateWord(world, vnf, state),
    verbs: busy === undefined ? [...verbsFor(state), ...(state === 'running' ? world.moduleActions(vnf.type) : [])] : [],
    error: errorOf(runtime),
    ip,
    id,
    domainXml: driver.description?.(ref) ?? (hasDomain ? '' : undefined),
    counters: counterSource(world, vnf, state),
    countsDrops: middlebox?.configuration?.language.drops !== undefined,
    paths: {
      config: world.parts.store.configDir(vnf),
      log: vnf.deployed ? driver.logPath(ref) : lastLogPath(ref),
      output: outputPath(ref),
    },
    // Of a VNF that is not deployed it may not be there yet.
    root: driver.root(ref) ?? { path: `${ref.guestDir}/root`, process: undefined, mounts: [], written: undefined },
    moduleFiles: middlebox === undefined ? [] : moduleFiles(world, vnf, middlebox),
    asksPorts: world.asksPorts(vnf),
    ports: state === 'running' || state === 'paused' ? portStates(world, vnf) : new Map(),
    hidden: [...hidden],
  };
}

/** How its ports are that are not as they should be. */
function portStates(world: World, { ports }: VnfRecord): VnfObservation['ports'] {
  const found = ports.flatMap((port) => {
    const state = world.portStates.get(port.serial);
    return state === undefined || isAsWanted(port, state) ? [] : [[port.serial, state] as const];
  });
  return new Map(found);
}

/** The like for a network. */
export function observeNetwork(world: World, network: NetworkRecord): NetworkObservation {
  const runtime = world.runtime(network.serial);
  const { hidden } = runtime;
  return { error: errorOf(runtime) || unclearRoute(network, world.surroundings), hidden: [...hidden] };
}

/** The like for a machine that VNFs can run on. */
export function observeHost(world: World, record: HostRecord): HostObservation {
  const { error, hidden } = world.runtime(record.serial);
  const hypervisor = hypervisorOf(record, world.parts.hypervisor);
  const address = hostAddress(record);
  const { state, why } = address === undefined ? { state: 'unknown', why: '' } : world.driver(hypervisor).hostStatus(address);
  return { hypervisor, status: state, error: error || why, hidden: [...hidden] };
}

/** The like for an entry of quotas/. */
export function observeQuota(world: World, quota: QuotaRecord): QuotaObservation {
  const { error, hidden } = world.runtime(quota.serial);
  return { limits: limitsFor(world, quota), error, hidden: [...hidden] };
}

/** File on this machine with the output of a VNF's last command. */
export function outputPath(ref: GuestRef): string {
  return `${ref.guestDir}/command.out`;
}

function stateWord(world: World, vnf: VnfRecord, state: VnfState): string {
  if (state === 'undeployed' || state === 'unreadable' || state === 'inconsistent') return state;
  const status = world.status(vnf);
  // While it is being made there is nothing yet; else someone removed it behind our back, or the machine was restarted.
  if (status.state === 'absent' && status.progress === undefined)
    return world.runtime(vnf.serial).busy === undefined ? 'exited' : 'undeployed';
  const more = status.booting === true ? 'booting' : status.exitCode;
  return more === undefined ? status.word : `${status.word} (${more})`;
}

/** Of a guest that nobody knows the state of the driver says why not, to who reads. */
function counterSource(world: World, vnf: VnfRecord, state: VnfState): CounterSource | undefined {
  if (state === 'unknown' && world.address(vnf) !== undefined) return { kind: 'remote' };
  if (state !== 'running' && state !== 'paused') return undefined;
  const source = world.driverOf(vnf).counterSource(world.ref(vnf));
  const { past } = world.runtime(vnf.serial);
  return source?.kind === 'procfs' && past !== undefined ? { ...source, past } : source;
}

/** The files a module adds, with what its getattr hook said of them last. */
function moduleFiles(world: World, vnf: VnfRecord, { files = [] }: Middlebox): VnfObservation['moduleFiles'] {
  const { fileAttributes } = world.runtime(vnf.serial);
  return files.map(({ path, mode }) => ({ path, mode, size: undefined, ...fileAttributes.get(path) }));
}
