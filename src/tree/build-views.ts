import { chainVerbsFor } from '../domain/chains/chain-lifecycle.ts';
import { isInstanceLink } from '../domain/chains/chain-path.ts';
import { defaultForward } from '../domain/group-forwarding.ts';
import { guestInterfaceName } from '../domain/guest-interface.ts';
import {
  type ChainObservation,
  domainPath,
  type HostObservation,
  type ModelChange,
  type NetworkObservation,
  type QuotaObservation,
  type VnfObservation,
} from '../domain/observation.ts';
import { isLocalHost } from '../domain/placement.ts';
import { defaultMtu, macOf } from '../domain/port-plan.ts';
import { limited, limitText } from '../domain/quotas.ts';
import {
  type ChainRecord,
  type HostRecord,
  idOf,
  type LinkRecord,
  type NetworkRecord,
  type ObjectRecord,
  type PortRecord,
  type QuotaRecord,
  type VnfRecord,
} from '../domain/records.ts';
import type { ChainView, HopView, HostView, NetworkView, ObjectView, PortView, QuotaView, SymlinkView, VnfView } from './views.ts';

/** What building views needs to know of other objects. */
export interface ViewSurroundings {
  readonly mountId: string;
  typeSerial(name: string): number;
  networkSerial(name: string): number | undefined;
}

/** Serial of the root object. */
export const rootSerial = 0;

/** The views that a change of the model changes. */
export function viewsOf(change: Exclude<ModelChange, { kind: 'removed' }>, surroundings: ViewSurroundings): ObjectView[] {
  const changedMs = Date.now();
  switch (change.kind) {
    case 'type':
      return [{ ...base(change.record, changedMs), kind: 'type', parent: rootSerial, name: change.record.name, texts: {} }];
    case 'network':
      return [networkView(change.record, change.observation, changedMs)];
    case 'host':
      return [hostView(change.record, change.observation, changedMs)];
    case 'quota':
      return [quotaView(change.record, change.observation, changedMs)];
    case 'chain':
      return chainViews(change.record, change.observation, changedMs);
    case 'vnf': {
      const vnf = vnfView(change.record, change.observation, { surroundings, changedMs });
      const ports = change.record.ports.map((port) =>
        portView(port, change.record, { observation: change.observation, surroundings, changedMs }),
      );
      return [vnf, ...ports];
    }
  }
}

function base(record: ObjectRecord, changedMs: number) {
  const { serial, uid, gid, mode, createdMs, ownership } = record;
  return { serial, uid, gid, mode, createdMs, changedMs, ownership };
}

function networkView(record: NetworkRecord, { error, hidden }: NetworkObservation, changedMs: number): NetworkView {
  return {
    ...base(record, changedMs),
    kind: 'network',
    parent: rootSerial,
    name: record.name,
    hidden,
    texts: { ...record.settings, forward: record.settings['forward'] || defaultForward, error },
  };
}

function hostView(record: HostRecord, observation: HostObservation, changedMs: number): HostView {
  const { hypervisor, status, error, hidden } = observation;
  return {
    ...base(record, changedMs),
    kind: 'host',
    parent: rootSerial,
    name: record.name,
    fixed: isLocalHost(record),
    hidden,
    texts: { ...record.settings, hypervisor, status, error },
  };
}

function quotaView(record: QuotaRecord, { limits, error, hidden }: QuotaObservation, changedMs: number): QuotaView {
  const texts = Object.fromEntries(limited.map((what) => [what, limitText(limits[what])]));
  return {
    ...base(record, changedMs),
    kind: 'quota',
    parent: rootSerial,
    name: record.name,
    hidden,
    texts: { ...record.settings, ...texts, error },
  };
}

/** A service chain, its hops and all links. */
function chainViews(record: ChainRecord, observation: ChainObservation, changedMs: number): ObjectView[] {
  const applied = new Set(record.applied?.hops.map(({ serial }) => serial));
  const hidden = (serial: number): readonly string[] => observation.hidden.get(serial) ?? [];
  const links = (parent: ObjectRecord & { readonly links: readonly LinkRecord[] }): SymlinkView[] =>
    parent.links.map((link) => ({
      ...base(link, changedMs),
      kind: 'symlink',
      parent: parent.serial,
      name: link.name,
      target: link.target,
      texts: {},
    }));
  const hops = record.hops.map(
    (hop): HopView => ({
      ...base(hop, changedMs),
      kind: 'hop',
      parent: record.serial,
      name: hop.name,
      active: applied.has(hop.serial),
      hidden: hidden(hop.serial),
      texts: { ...hop.settings, mode: hop.settings['mode'] || 'routed', replicas: String(hop.links.filter(isInstanceLink).length) },
    }),
  );
  const chain: ChainView = {
    ...base(record, changedMs),
    kind: 'chain',
    parent: rootSerial,
    name: record.name,
    active: record.applied !== undefined,
    hidden: hidden(record.serial),
    texts: {
      ...record.settings,
      priority: record.settings['priority'] || '100',
      'policy/failure': record.settings['policy/failure'] || 'closed',
      action: chainVerbsFor(observation.state).join(' '),
      status: observation.state,
      error: observation.error,
      path: observation.path,
      verify: observation.verify,
      latency: observation.latency,
    },
  };
  return [chain, ...links(record), ...hops, ...record.hops.flatMap(links)];
}

function vnfView(
  record: VnfRecord,
  observation: VnfObservation,
  options: { readonly surroundings: ViewSurroundings; readonly changedMs: number },
): VnfView {
  return {
    ...base(record, options.changedMs),
    kind: 'vnf',
    parent: options.surroundings.typeSerial(record.type),
    name: record.name,
    deployed: record.deployed,
    counters: observation.counters,
    countsDrops: observation.countsDrops,
    configPath: observation.paths.config,
    root: observation.root,
    logPath: observation.paths.log,
    outputPath: observation.paths.output,
    moduleFiles: observation.moduleFiles,
    hidden: observation.domainXml === undefined ? [...observation.hidden, domainPath] : observation.hidden,
    texts: {
      ...record.settings,
      action: observation.verbs.join(' '),
      status: observation.word,
      error: observation.error,
      'machine/vm.ip': observation.ip,
      'machine/vm.id': observation.id,
      [domainPath]: observation.domainXml?.trimEnd() ?? '',
    },
  };
}

function portView(
  port: PortRecord,
  vnf: VnfRecord,
  options: { readonly observation: VnfObservation; readonly surroundings: ViewSurroundings; readonly changedMs: number },
): PortView {
  const { observation, surroundings } = options;
  const prefix = `ports/${port.name}/`;
  const { up = port.settings['state'] !== 'down', mtu = port.settings['mtu'] || defaultMtu } = observation.ports.get(port.serial) ?? {};
  return {
    ...base(port, options.changedMs),
    kind: 'port',
    parent: vnf.serial,
    name: port.name,
    deployed: vnf.deployed,
    counters: observation.counters,
    asked: observation.asksPorts,
    interfaceName: guestInterfaceName({ id: idOf(port.serial), name: port.name }),
    network: surroundings.networkSerial(port.settings['network'] ?? ''),
    linkName: `${vnf.type}.${vnf.name}.${port.name}`,
    hidden: observation.hidden.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length)),
    linkTarget: `../../../nf-types/${vnf.type}/${vnf.name}/ports/${port.name}`,
    texts: {
      ...port.settings,
      mac: macOf({ vnf, port }, surroundings.mountId),
      state: up ? 'up' : 'down',
      mtu: String(mtu),
      spoof: port.settings['spoof'] || 'off',
    },
  };
}
