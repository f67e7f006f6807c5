import { type Actor, authorOf, ownerOf } from '../domain/authority.ts';
import { chainPorts, instanceIn } from '../domain/chains/chain-ports.ts';
import { translatedAddresses } from '../domain/chains/translation.ts';
import { guestInterfaceName } from '../domain/guest-interface.ts';
import type { GuestAccess, Middlebox } from '../domain/middlebox.ts';
import { isShaped, planPorts } from '../domain/port-plan.ts';
import type { BootOptions, GuestLimits, GuestSpec } from '../domain/ports/hypervisor.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { promisedTo } from '../domain/quotas.ts';
import type { ChainRecord, VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import { readBootConf } from './config-files.ts';
import type { Model } from './model.ts';
import { requireMay } from './require.ts';
import { limitsFor } from './room.ts';

/**
 * The ports of a VNF as they should be now, those in service chains among them.
 *
 * @param runs which VNFs are taken to run.
 */
export function wantedPorts(model: Model, vnf: VnfRecord, runs = model.surroundings.runs): PortSpec[] {
  const { mountId } = model.parts.store;
  const own = planPorts(
    vnf.ports.map((port) => ({ vnf, port })),
    { ...model.surroundings, runs },
  );
  const inChains = [...model.inventory.chains()].flatMap((chain) =>
    chainPorts(chain, vnf.serial, { mountId, translated: translatedIn(model, vnf, chain) }),
  );
  return [...own, ...inChains];
}

/** What checking a configuration, or applying it, may take in all, milliseconds: a program of a guest that hangs must not hold up who saves a file. */
const languageTimeoutMs = 120_000;

/** IPv4 addresses that a VNF translates to in a service chain. */
function translatedIn(model: Model, { serial }: VnfRecord, { applied }: ChainRecord): readonly string[] {
  const egress = applied === undefined ? undefined : model.inventory.networkBySerial(applied.egress);
  const found = instanceIn(applied, serial);
  if (egress === undefined || found === undefined || found.hop.instances.length > 1) return [];
  return translatedAddresses(serial, { network: egress.name, family: 4 }, model.translation);
}

/** Limits of a VNF as set in machine/; where its owner may not have any number, it has no more than it counts for. */
export function wantedLimits(model: Model, vnf: VnfRecord): GuestLimits {
  const { 'machine/vm.vcpu': vcpu = '', 'machine/vm.memory': memory = '' } = vnf.settings;
  const { uid } = ownerOf(vnf);
  const limits = uid === 0 ? undefined : limitsFor(model, model.inventory.quotaOf(uid));
  const counts = promisedTo(vnf);
  return {
    vcpu: vcpu === '' && !Number.isFinite(limits?.vcpus) ? undefined : counts.vcpus,
    memoryBytes: memory === '' && !Number.isFinite(limits?.memory) ? undefined : counts.memory,
  };
}

/**
 * Everything a driver needs to make the guest of a VNF.
 *
 * @throws VNFHostNameIsEmptyError when the machine it goes to has no address, InvalidValueError when boot.conf is not valid, NotPermittedError when it asks for more than its owner may give.
 */
export function guestSpec(model: Model, vnf: VnfRecord): GuestSpec {
  const middlebox = model.middlebox(vnf.type);
  checkPlacement(model, vnf);
  const { options: boot, author } = readBootConf(model, vnf);
  checkFiles(model, vnf, { options: boot, author });
  const profile = model.profile(vnf);
  const sysctl = { ...middlebox.sysctl, ...boot.sysctl };
  return {
    ...model.ref(vnf),
    owner: vnf.ownership['']?.uid ?? vnf.uid,
    image: vnf.settings['machine/vm.image'] || (profile?.image ?? ''),
    limits: wantedLimits(model, vnf),
    boot: { ...boot, sysctl },
    command: boot.command ?? profile?.command,
    ports: wantedPorts(model, vnf),
    guarded: isGuarded(middlebox, sysctl),
    requires: profile?.requires ?? [],
    configDir: model.parts.store.configDir(vnf),
    hosts: [],
  };
}

/** Nothing may pass before it is configured: its kernel is, or passes packets on. A service has its configuration from its start. */
function isGuarded({ configuration }: Middlebox, sysctl: Readonly<Record<string, string>>): boolean {
  const forwards = Object.entries(sysctl).some(([name, value]) => /forward/.test(name) && value !== '0');
  return forwards || (configuration !== undefined && configuration.language.service !== true);
}

/** @throws VNFHostNameIsEmptyError for a machine without an address, NotPermittedError for one that its owner may not choose. */
function checkPlacement(model: Model, vnf: VnfRecord): void {
  const { host } = model.placement(vnf);
  if (model.address(vnf) === undefined) {
    throw new NfioError('VNFHostNameIsEmptyError', { message: `hosts/${host} has no address. Run: echo ADDRESS > hosts/${host}/address` });
  }
  if (host === '') return;
  // nf.io goes to machines with root's keys and certificates.
  requireMay(settingAuthor(vnf, 'machine/ip'), 'place', { name: host, host: model.inventory.host(host) });
}

/** @throws NotPermittedError for a file of another machine that its owner may not have a guest start from. */
function checkFiles(
  model: Model,
  vnf: VnfRecord,
  { options: { machine }, author }: { readonly options: BootOptions; readonly author: Actor },
): void {
  const { host } = model.placement(vnf);
  if (host === '' || model.driverOf(vnf).startsFromFiles !== true) return;
  const image = vnf.settings['machine/vm.image'] ?? '';
  if (image !== '') requireMay(settingAuthor(vnf, 'machine/vm.image'), 'lend', { host, path: image, said: 'machine/vm.image' });
  for (const path of [machine?.kernel, machine?.initrd])
    if (path !== undefined) requireMay(author, 'lend', { host, path, said: 'config config/boot.conf' });
}

/** Who has said what a value says. */
function settingAuthor(vnf: VnfRecord, path: string): Actor {
  return authorOf(vnf.ownership[path] ?? { uid: vnf.uid, mode: 0o644 });
}

/** What a configuration language may ask of a running VNF, which has so long to answer all of it. */
export function guestAccess(model: Model, vnf: VnfRecord, caller: AbortSignal): GuestAccess {
  const signal = AbortSignal.any([caller, AbortSignal.timeout(languageTimeoutMs)]);
  const driver = model.driverOf(vnf);
  const ref = model.ref(vnf);
  const ports = wantedPorts(model, vnf);
  return {
    execute: (command) => driver.executeInGuest(ref, command, { signal }),
    executeInNetwork: (command) => driver.executeInNetwork(ref, command, { signal }),
    ports: ports.map(guestInterfaceName),
    shaped: ports.filter(isShaped).map(guestInterfaceName),
    signal,
  };
}
