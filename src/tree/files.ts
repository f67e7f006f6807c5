import { domainPath } from '../domain/observation.ts';
import {
  type FileSpec,
  firstModuleIndex,
  type LinkSpec,
  type ObjectKind,
  type ObjectSpec,
  portLinkIndex,
  rootIndex,
  topIndex,
} from './file-spec.ts';
import { SpecBuilder } from './spec-builder.ts';
import type { ModuleFileView, ObjectView } from './views.ts';

const trafficCounters = ['rx_bytes', 'tx_bytes', 'rx_packets', 'tx_packets', 'pkt_drops'];

/** What is counted of a service chain and of each hop. Not pkt_drops: whoever adds up those of VNFs by `find -L` means theirs. */
const flowCounters = ['in_packets', 'in_bytes', 'out_packets', 'out_bytes', 'drops'].map((name) => `stats/${name}`);

/** All there is of a symbolic link. */
const symlink: LinkSpec = { type: 'link', index: topIndex, path: '', name: '', mode: 0o777 };

/** Of `events`, which every mount has. */
export const eventsIndex = 5;

/** Every file of the mount. The numbers are part of nodeids: give new files new numbers, and never reuse one. */
const specs: Readonly<Record<ObjectKind, ObjectSpec>> = {
  root: new SpecBuilder()
    .directory(2, 'nf-types', 'type')
    .directory(3, 'networks', 'network')
    .directory(4, 'hosts', 'host')
    .file(eventsIndex, 'events', { mode: 0o444, content: 'stream' })
    .directory(6, 'chns', 'chain')
    .directory(7, 'quotas', 'quota')
    .build(),
  type: new SpecBuilder('vnf').build(),
  vnf: vnfSpec().build(),
  port: new SpecBuilder()
    .setting(2, 'network')
    .setting(3, 'address')
    .setting(4, 'mac')
    .setting(5, 'state')
    .setting(6, 'mtu')
    .setting(7, 'rate')
    .setting(8, 'delay')
    .setting(9, 'loss')
    .setting(10, 'spoof')
    .counters(11, ['spoofed'])
    .counters(16, trafficCounters)
    .link(portLinkIndex, 'link')
    .build(),
  network: new SpecBuilder()
    .setting(2, 'subnet')
    .setting(3, 'gateway')
    .setting(4, 'uplink')
    .value(5, 'error')
    .directory(6, 'ports', 'link')
    .directory(7, 'stats')
    .counters(
      8,
      trafficCounters.map((name) => `stats/${name}`),
    )
    .setting(13, 'forward')
    .setting(14, 'trusted')
    .build(),
  chain: new SpecBuilder('entry')
    .file(2, 'action', { mode: 0o644, content: 'text', write: 'action' })
    .value(3, 'status')
    .value(4, 'error')
    .setting(5, 'ingress')
    .setting(6, 'egress')
    .setting(7, 'match')
    .setting(8, 'priority')
    .value(9, 'path')
    .directory(10, 'policy')
    .setting(11, 'policy/failure')
    .directory(12, 'stats')
    .steering(13, flowCounters)
    .file(24, 'trace', { mode: 0o644, content: 'steering', write: 'probe' })
    .file(25, 'verify', { mode: 0o644, content: 'text', write: 'probe' })
    .file(26, 'latency', { mode: 0o644, content: 'text', write: 'probe' })
    .build(),
  hop: new SpecBuilder('entry').setting(2, 'mode').setting(3, 'replicas').directory(4, 'stats').steering(5, flowCounters).build(),
  symlink: { byIndex: [undefined, symlink], top: new SpecBuilder().build().top },
  host: new SpecBuilder()
    .setting(2, 'address')
    .setting(3, 'hypervisor')
    .value(4, 'status')
    .file(5, 'capacity', { mode: 0o444, content: 'report' })
    .file(6, 'load', { mode: 0o444, content: 'report' })
    .setting(7, 'certificates')
    .value(8, 'error')
    .build(),
  quota: new SpecBuilder()
    .value(2, 'uid')
    .value(3, 'error')
    .file(4, 'use', { mode: 0o444, content: 'report' })
    .setting(5, 'vnfs')
    .setting(6, 'ports')
    .setting(7, 'hops')
    .setting(8, 'vcpus')
    .setting(9, 'memory')
    .setting(10, 'verbs_per_second')
    .setting(11, 'handles')
    .build(),
};

/** This machine among the hosts: nobody changes it. */
const fixedHost = new SpecBuilder()
  .value(2, 'address')
  .value(3, 'hypervisor')
  .value(4, 'status')
  .file(5, 'capacity', { mode: 0o444, content: 'report' })
  .file(6, 'load', { mode: 0o444, content: 'report' })
  .value(8, 'error')
  .build();

function vnfSpec(): SpecBuilder {
  return new SpecBuilder()
    .file(2, 'action', { mode: 0o644, content: 'text', write: 'action' })
    .value(3, 'status')
    .value(4, 'error')
    .file(5, 'command', { mode: 0o600, content: 'stream', write: 'command' })
    .file(6, 'log', { mode: 0o400, content: 'stream' })
    .backed(7, 'config', 0o700)
    .directory(8, 'machine')
    .setting(9, 'machine/ip')
    .setting(10, 'machine/vm.image')
    .setting(11, 'machine/vm.vcpu')
    .setting(12, 'machine/vm.memory')
    .value(13, 'machine/vm.ip')
    .value(14, 'machine/vm.id')
    .directory(15, 'ports', 'port')
    .backed(rootIndex, 'rfs', 0o700)
    .directory(17, 'stats')
    .counters(
      18,
      ['rx_bytes', 'tx_bytes', 'pkt_drops', 'rx_packets', 'tx_packets', 'cpu_usec', 'memory_bytes'].map((name) => `stats/${name}`),
    )
    .value(25, domainPath);
}

/** Specs of VNFs that have more files than most, by the list of their module's files in their view. */
const extended = new WeakMap<readonly ModuleFileView[], ObjectSpec>();

/** The files of an object. */
export function specOf(view: ObjectView): ObjectSpec {
  if (view.kind === 'vnf' && view.moduleFiles.length > 0) return extendedSpec(view.moduleFiles);
  return view.kind === 'host' && view.fixed ? fixedHost : specs[view.kind];
}

/** One file of an object, undefined when it has none of that index. */
export function fileAt(view: ObjectView, index: number): FileSpec | undefined {
  return specOf(view).byIndex[index];
}

/** What an object is where it lives: a directory, or a symbolic link. */
export function topOf(view: ObjectView): FileSpec {
  const spec = specOf(view);
  return spec.byIndex[topIndex] ?? spec.top;
}

/** The file of an object at a path below it, undefined when it has none there. */
export function fileAtPath(view: ObjectView, path: string): FileSpec | undefined {
  return specOf(view).byIndex.find((spec) => spec?.path === path);
}

function extendedSpec(files: readonly ModuleFileView[]): ObjectSpec {
  const known = extended.get(files);
  if (known !== undefined) return known;
  const builder = vnfSpec();
  for (const [offset, file] of files.entries()) {
    const write = (file.mode & 0o200) === 0 ? {} : { write: 'module' as const };
    builder.file(firstModuleIndex + offset, file.path, { mode: file.mode, content: 'module', ...write });
  }
  const spec = builder.build();
  extended.set(files, spec);
  return spec;
}
