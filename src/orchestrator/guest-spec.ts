import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBootConf } from '../domain/boot-conf.ts';
import { guestInterfaceName } from '../domain/interface-name.ts';
import type { ConfigCandidate, GuestAccess } from '../domain/middlebox.ts';
import { planPorts } from '../domain/port-plan.ts';
import type { BootOptions, GuestLimits, GuestSpec } from '../domain/ports/hypervisor.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { idOf, type VnfRecord } from '../domain/records.ts';
import { errnoName, errnoOf, NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

/** Largest boot.conf, and largest nf_conf, that is read. Bytes. */
const bootConfLimit = 64 * 1024;
const nfConfLimit = 1024 * 1024;

/** The ports of a VNF as they should be now. */
export function wantedPorts(model: Model, vnf: VnfRecord): PortSpec[] {
  const ports = vnf.ports.map((port) => ({ vnf, port }));
  return planPorts(ports, {
    mountId: model.parts.store.mountId,
    forwards: (type) => model.forwards(type),
    network: (name) => model.inventory.network(name),
    portsOn: (network) => model.inventory.portsOn(network),
  });
}

/** Limits of a VNF as set in machine/. */
export function wantedLimits(vnf: VnfRecord): GuestLimits {
  const { 'machine/vm.vcpu': vcpu = '', 'machine/vm.memory': memory = '' } = vnf.settings;
  return { vcpu: vcpu === '' ? undefined : Number(vcpu), memoryBytes: memory === '' ? undefined : Number(memory) };
}

/**
 * Everything a driver needs to make the guest of a VNF.
 *
 * @throws InvalidValueError when boot.conf is not valid.
 */
export async function guestSpec(model: Model, vnf: VnfRecord): Promise<GuestSpec> {
  const middlebox = model.middlebox(vnf.type);
  const boot = await readBootConf(model, vnf);
  const profile = middlebox.run?.[model.parts.driver.name as 'netns' | 'docker' | 'libvirt'];
  return {
    ...model.ref(vnf),
    host: vnf.settings['machine/ip'] ?? '',
    image: vnf.settings['machine/vm.image'] || (profile?.image ?? ''),
    limits: wantedLimits(vnf),
    boot: { ...boot, sysctl: { ...middlebox.sysctl, ...boot.sysctl } },
    command: boot.command ?? profile?.command,
    ports: wantedPorts(model, vnf),
    configDir: model.parts.store.configDir(vnf),
    hosts: [],
  };
}

async function readBootConf(model: Model, vnf: VnfRecord): Promise<BootOptions> {
  const text = await readConfig(join(model.parts.store.configDir(vnf), 'boot.conf'), bootConfLimit);
  return parseBootConf(text ?? '');
}

/** The configuration in a file of config/, undefined when there is no such file or the type has no configuration. */
export async function readCandidate(model: Model, vnf: VnfRecord, name = 'nf_conf'): Promise<ConfigCandidate | undefined> {
  if (model.middlebox(vnf.type).configuration === undefined) return undefined;
  const text = await readConfig(join(model.parts.store.configDir(vnf), name), nfConfLimit);
  return text === undefined ? undefined : { text, guestPath: `/etc/nfio/${name}` };
}

/** What a configuration language may ask of a running VNF. */
export function guestAccess(model: Model, vnf: VnfRecord, signal: AbortSignal): GuestAccess {
  const { driver } = model.parts;
  const ref = model.ref(vnf);
  return {
    execute: (command) => driver.executeInGuest(ref, command, { signal }),
    executeInNetwork: (command) => driver.executeInNetwork(ref, command, { signal }),
    ports: vnf.ports.map((port) => guestInterfaceName({ id: idOf(port.serial), name: port.name })),
    signal,
  };
}

/** Reads a file of config/ whole; its owner may have made it a link or a FIFO, which is refused. */
async function readConfig(path: string, limit: number): Promise<string | undefined> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('ConfigurationError', { message: `${name} cannot be read (${errno}): it must be a regular file`, cause });
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new NfioError('ConfigurationError', { message: `${name} is not a regular file` });
    if (stats.size > limit) {
      throw new NfioError('ConfigurationError', { message: `${name} has ${stats.size} bytes; at most ${limit} are read` });
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
