import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Actor, allows, may, search, write } from '../../domain/authority.ts';
import type { HostRecord, NetworkRecord, Ownership, QuotaRecord } from '../../domain/records.ts';

/** Something that a user may do or not. */
export interface Right {
  readonly what: string;
  readonly may: boolean;
  /** What root does so that she may, or in her place. */
  readonly grant: string;
}

const object = { serial: 0, createdMs: 0, settings: {}, ownership: {}, uid: 0, gid: 0, mode: 0o755 };
const host: HostRecord = { ...object, kind: 'host', name: 'NAME' };
const network: NetworkRecord = { ...object, kind: 'network', name: 'NAME' };
const quota: QuotaRecord = { ...object, kind: 'quota', name: 'USER' };
const powers = { privileged: true, capabilities: [], mounts: [], network: undefined };

/** What a user may do on every mount, by the rules of src/domain/authority.ts, with root's objects. */
export function rightsEverywhere(actor: Actor): readonly Right[] {
  return [
    { what: 'choose a machine in hosts/ (machine/ip)', may: may(actor, 'place', { name: 'NAME', host }), grant: '' },
    {
      what: 'choose another machine (machine/ip)',
      may: may(actor, 'place', { name: 'NAME', host: undefined }),
      grant: 'mkdir hosts/NAME; echo ADDRESS > hosts/NAME/address',
    },
    {
      what: 'say where a machine in hosts/ is (address, hypervisor)',
      may: may(actor, 'direct', host),
      grant: 'echo ADDRESS > hosts/NAME/address',
    },
    { what: 'say how much users may have (quotas/)', may: may(actor, 'limit', quota), grant: 'echo NUMBER > quotas/USER/vnfs' },
    {
      what: 'connect a network to an interface of the machine (uplink)',
      may: may(actor, 'uplink', network),
      grant: 'echo INTERFACE > networks/NAME/uplink',
    },
    {
      what: 'have a virtual machine on another machine start from a file there (machine/vm.image; kernel, initrd in boot.conf)',
      may: may(actor, 'lend', { host: 'NAME', path: '/', said: '' }),
      grant: 'in the VNF: chown root machine/vm.image; echo PATH > machine/vm.image',
    },
    {
      what: 'give a guest powers over the machine (privileged, capabilities, mounts, network in boot.conf)',
      may: may(actor, 'boot', powers),
      grant: 'in the VNF: chown root config config/boot.conf; chmod go-w config config/boot.conf',
    },
  ];
}

/**
 * What a user may do on one mount, by who owns what is there, and its modes.
 *
 * @throws as node:fs does, where the one who asks may not look.
 */
export function rightsOn(mountpoint: string, actor: Actor): readonly Right[] {
  const at = (...names: readonly string[]): string => join(mountpoint, ...names);
  const makes = (path: string): boolean => allows(actor, statSync(at(path)), write | search);
  const types = directories(at('nf-types'));
  const networks = directories(at('networks'));
  return [
    ...divided('make VNFs of', types, (name) => makes(`nf-types/${name}`), 'chgrp GROUP nf-types/NAME; chmod 3775 nf-types/NAME'),
    ...divided(
      'put ports on',
      networks,
      (name) => may(actor, 'attach', networkAt(at('networks', name))),
      'chgrp GROUP networks/NAME/ports; chmod 2775 networks/NAME/ports',
    ),
    ...['networks', 'chns', 'hosts'].map((path) => ({
      what: `make what is in ${path}/`,
      may: makes(path),
      grant: `mkdir ${path}/NAME; chown -R USER ${path}/NAME`,
    })),
    ...owning(
      'command',
      types.flatMap((type) => directories(at('nf-types', type)).map((name) => `nf-types/${type}/${name}`)),
    ),
    ...owning(
      'change',
      ['networks', 'chns', 'hosts'].flatMap((kind) => directories(at(kind)).map((name) => `${kind}/${name}`)),
    ),
  ];

  function owning(what: string, paths: readonly string[]): readonly Right[] {
    const isOwn = (path: string): boolean => actor.uid === 0 || statSync(at(path), { throwIfNoEntry: false })?.uid === actor.uid;
    return divided(what, paths, isOwn, 'chown -R USER PATH');
  }
}

/** Those that a user may, and those that she may not, a row for each that has any. */
function divided(what: string, names: readonly string[], isAllowed: (name: string) => boolean, grant: string): Right[] {
  const row = (isMay: boolean): Right[] => {
    const own = names.filter((name) => isAllowed(name) === isMay);
    return own.length === 0 ? [] : [{ what: `${what} ${listed(own)}`, may: isMay, grant }];
  };
  return [...row(true), ...row(false)];
}

const mostListed = 8;

function listed(names: readonly string[]): string {
  const more = names.length - mostListed;
  return `${names.slice(0, mostListed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function directories(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** A network as the rules look at it. */
function networkAt(path: string): NetworkRecord {
  return { ...network, ...ownershipOf(statSync(path)), ownership: { ports: ownershipOf(statSync(join(path, 'ports'))) } };
}

function ownershipOf({ uid, gid, mode }: Stats): Ownership {
  return { uid, gid, mode: mode & 0o7777 };
}
