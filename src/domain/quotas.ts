import { NfioError } from '../errors/index.ts';
import { ownerOf } from './authority.ts';
import type { QuotaRecord, StoredRecord, VnfRecord } from './records.ts';
import { parseBytes, parseVcpu } from './units.ts';

/** What an owner has. */
export interface Use {
  readonly vnfs: number;
  readonly ports: number;
  readonly hops: number;
  /** Processors and bytes of memory of what is deployed: what it may take, not what it takes. */
  readonly vcpus: number;
  readonly memory: number;
  readonly networks: number;
  readonly chains: number;
}

/** What has a limit: a file of that name in quotas/. Networks and service chains root makes, so they are only counted. */
export const limited = ['vnfs', 'ports', 'hops', 'vcpus', 'memory', 'verbs_per_second', 'handles'] as const;

/** What has a limit. */
export type Limited = (typeof limited)[number];

/** How much of each an owner may have; Infinity: any number. */
export type Limits = Readonly<Record<Limited, number>>;

/** Nothing of anything. */
export const noUse: Use = { vnfs: 0, ports: 0, hops: 0, vcpus: 0, memory: 0, networks: 0, chains: 0 };

/** The entry of quotas/ that every mount has, for all who have none of their own. */
export const defaultName = 'default';

/** Serial of that entry; those below 16 are no user's object (state/root-directory.ts). */
const defaultSerial = 2;

/** The word for a limit that is none. */
const unlimited = 'unlimited';

/** The entry for all who have none of their own, as it is while nobody has set anything. */
export function defaultQuota(createdMs: number): QuotaRecord {
  return { kind: 'quota', serial: defaultSerial, name: defaultName, uid: 0, gid: 0, mode: 0o755, createdMs, ownership: {}, settings: {} };
}

/** True for the entry for all who have none of their own. */
export function isDefaultQuota({ name }: QuotaRecord): boolean {
  return name === defaultName;
}

/** The user that an entry is for, by number; undefined: the one for all who have none of their own, or one that could not be read. */
export function userOf({ settings }: QuotaRecord): number | undefined {
  return settings['uid'] === undefined ? undefined : Number(settings['uid']);
}

/** What a record counts for, and whom: all that is in an object counts for who owns the object. */
export function useOf(record: StoredRecord): { readonly uid: number; readonly use: Use } {
  const { uid } = ownerOf(record);
  switch (record.kind) {
    case 'vnf':
      return { uid, use: { ...noUse, vnfs: 1, ports: record.ports.length, ...(record.deployed ? promisedTo(record) : {}) } };
    case 'network':
      return { uid, use: { ...noUse, networks: 1 } };
    case 'chain': {
      const links = [record, ...record.hops].reduce((sum, { links: { length } }) => sum + length, 0);
      return { uid, use: { ...noUse, chains: 1, hops: record.hops.length + links } };
    }
    default:
      return { uid, use: noUse };
  }
}

/** What a VNF counts for that says nothing of its own, and gets where its owner has a limit: as much as a virtual machine gets that says nothing. */
const usualVcpus = 1;
const usualMemory = 256 * 2 ** 20;

/** Processors and bytes of memory that a VNF may take once it is deployed. */
export function promisedTo({ settings }: VnfRecord): Pick<Use, 'vcpus' | 'memory'> {
  return { vcpus: Number(settings['machine/vm.vcpu'] || usualVcpus), memory: Number(settings['machine/vm.memory'] || usualMemory) };
}

/** The limits of a user: what their own entry says, else what the one for all says, else what this machine can bear. */
export function limitsOf(own: QuotaRecord | undefined, forAll: QuotaRecord | undefined, machine: Limits): Limits {
  const limit = (what: Limited): number => limitOfText(own?.settings[what]) ?? limitOfText(forAll?.settings[what]) ?? machine[what];
  return Object.fromEntries(limited.map((what) => [what, limit(what)])) as Limits;
}

/** Least memory that is set aside for each VNF of a user, bytes, and the part of the machine's memory that one user may fill so. */
const memoryPerVnf = 32 * 2 ** 20;
const memoryPart = 1 / 4;

/** More than a script writes that starts a laboratory. */
const verbsPerSecond = 50;

/** What one user may have on a machine where nobody said anything else. */
export function machineLimits(memoryBytes: number): Limits {
  const vnfs = Math.min(Math.max(16, Math.floor((memoryBytes * memoryPart) / memoryPerVnf)), 256);
  const unlimited = Number.POSITIVE_INFINITY;
  return {
    vnfs,
    ports: 4 * vnfs,
    hops: 4 * vnfs,
    vcpus: unlimited,
    memory: unlimited,
    verbs_per_second: verbsPerSecond,
    handles: unlimited,
  };
}

/** A limit as the tree shows it, and takes it. */
export function limitText(limit: number): string {
  return limit === Number.POSITIVE_INFINITY ? unlimited : String(limit);
}

/** The canonical text of a limit. @throws InvalidValueError (EINVAL) when what was written is none. */
export function canonicalLimit(what: Limited, text: string): string {
  if (text === unlimited) return unlimited;
  if (/^0+$/.test(text)) return '0';
  if (what === 'memory') return String(parseBytes(text));
  if (what === 'vcpus') return String(parseVcpu(text));
  if (/^\d{1,9}$/.test(text)) return String(Number(text));
  throw new NfioError('InvalidValueError', { message: `${JSON.stringify(text.slice(0, 80))} is not a number such as 20, or "unlimited"` });
}

/** The limit in a canonical text; undefined: nobody said any. */
export function limitOfText(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  return text === unlimited ? Number.POSITIVE_INFINITY : Number(text);
}
