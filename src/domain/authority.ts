import type { PlacedPort } from './addressing.ts';
import { givesPower, type PowerOptions } from './boot-conf.ts';
import type { ChainRecord, HostRecord, NetworkRecord, ObjectRecord, Ownership, QuotaRecord, VnfRecord } from './records.ts';

/** Who asks for something: the caller of a request, as the kernel named it. */
export interface Actor {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** What the daemon does for itself, and what root does. */
export const rootActor: Actor = { uid: 0, gid: 0, groups: [] };

/** What can be asked for, and of what. */
export interface Objects {
  /** Makes a VNF like this one: its configuration is read, and runs again. */
  readonly clone: VnfRecord;
  /** Removes a VNF that was cloned. */
  readonly discard: VnfRecord;
  /** Puts a port on this network. */
  readonly attach: NetworkRecord;
  /** Connects this network to an interface of the machine. */
  readonly uplink: NetworkRecord;
  /** Lets a port send in the name of others. */
  readonly spoof: PlacedPort;
  /** Says where a machine is and how it is reached: nf.io goes there with root's keys and certificates. */
  readonly direct: HostRecord;
  /** Says how much a user may have. */
  readonly limit: QuotaRecord;
  /** Has a guest run on the machine of this name or address; `host` is its entry of hosts/, undefined when there is none. */
  readonly place: { readonly name: string; readonly host: HostRecord | undefined };
  /** Has a guest on another machine start from a file there, which cannot be looked at from here. `said`: files of the VNF that say so. */
  readonly lend: { readonly host: string; readonly path: string; readonly said: string };
  /** Makes a guest with these options. */
  readonly boot: PowerOptions;
  /** Has a service chain take traffic from a network or bring it there, or lead it through a VNF. */
  readonly steer: { readonly chain: ChainRecord; readonly record: NetworkRecord | VnfRecord };
}

export type Verb = keyof Objects;

/** Permission bits of one class (inode(7)). */
export const write = 2;
export const search = 1;

const rules: { readonly [V in Verb]: (actor: Actor, object: Objects[V]) => boolean } = {
  clone: owns,
  discard: owns,
  attach: (actor, network) =>
    allows(actor, ownershipOf(network, ''), search) && allows(actor, ownershipOf(network, 'ports'), write | search),
  uplink: () => false,
  spoof: () => false,
  direct: () => false,
  limit: () => false,
  place: (_, { host }) => host !== undefined,
  lend: () => false,
  boot: (_, options) => !givesPower(options),
  steer: (actor, { record }) => owns(actor, record),
};

/**
 * True when an actor may do something with an object, beyond what the kernel checks by the permissions of the file that was written. Root may do
 * everything. The one place where this is decided.
 */
export function may<V extends Verb>(actor: Actor, verb: V, object: Objects[V]): boolean {
  return actor.uid === 0 || rules[verb](actor, object);
}

/** Somebody of whom nothing is known but that it is not root. No user and no group has this number (chown(2)), so nothing belongs to it. */
const anybody: Actor = { uid: 0xffff_ffff, gid: 0xffff_ffff, groups: [] };

/** Bits of a mode that let others than the owner write. */
const othersWrite = 0o022;

/**
 * Who has said what files say, for what happens later than they were written: root when nobody else could have written any of them.
 *
 * @param files the file, and the directories in which another could have taken its place.
 */
export function authorOf(...files: readonly Pick<Ownership, 'uid' | 'mode'>[]): Actor {
  return files.every(({ uid, mode }) => uid === 0 && (mode & othersWrite) === 0) ? rootActor : anybody;
}

/** The owner of an object as who asks, for what an object does by itself. */
export function ownerOf(object: ObjectRecord): Actor {
  const { uid, gid } = ownershipOf(object, '');
  return { uid, gid, groups: [] };
}

function owns(actor: Actor, object: ObjectRecord): boolean {
  return ownerOf(object).uid === actor.uid;
}

/** Owner and permissions of a directory of an object, below it (empty: its own). */
function ownershipOf(object: ObjectRecord, path: string): Ownership {
  const { uid, gid, mode } = object;
  return object.ownership[path] ?? { uid, gid, mode: path === '' ? mode : 0o755 };
}

/** True when permissions allow an actor what is wanted, as the kernel decides it (path_resolution(7)): root all, and to others the first class that fits, not the most generous. */
export function allows(actor: Actor, { uid, gid, mode }: Ownership, wanted: number): boolean {
  const shift = actor.uid === uid ? 6 : actor.gid === gid || actor.groups.includes(gid) ? 3 : 0;
  return actor.uid === 0 || ((mode >> shift) & wanted) === wanted;
}
