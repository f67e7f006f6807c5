import { ownerOf } from './authority.ts';
import type { QuotaRecord, StoredRecord } from './records.ts';

/** What an owner has: a count of each kind. */
export interface Use {
  readonly vnfs: number;
  readonly ports: number;
  readonly hops: number;
  readonly networks: number;
  readonly chains: number;
}

/** What is counted. */
export type Counted = keyof Use;

/** Those that users make themselves, and so have a limit each: a file of that name in quotas/. Networks and service chains root makes. */
export const limited = ['vnfs', 'ports', 'hops'] as const;

/** What has a limit. */
export type Limited = (typeof limited)[number];

/** How much of each an owner may have; Infinity: any number. */
export type Limits = Readonly<Record<Limited, number>>;

/** Nothing of anything. */
export const noUse: Use = { vnfs: 0, ports: 0, hops: 0, networks: 0, chains: 0 };

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
      return { uid, use: { ...noUse, vnfs: 1, ports: record.ports.length } };
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

/** The limits of a user: what their own entry says, else what the one for all says, else what this machine can bear. */
export function limitsOf(own: QuotaRecord | undefined, forAll: QuotaRecord | undefined, machine: Limits): Limits {
  const limit = (what: Limited): number => parsed(own?.settings[what]) ?? parsed(forAll?.settings[what]) ?? machine[what];
  return { vnfs: limit('vnfs'), ports: limit('ports'), hops: limit('hops') };
}

/** Least memory that is set aside for each VNF of a user, bytes, and the part of the machine's memory that one user may fill so. */
const memoryPerVnf = 32 * 2 ** 20;
const memoryPart = 1 / 4;

/** What one user may have on a machine where nobody said anything else. */
export function machineLimits(memoryBytes: number): Limits {
  const vnfs = Math.min(Math.max(16, Math.floor((memoryBytes * memoryPart) / memoryPerVnf)), 256);
  return { vnfs, ports: 4 * vnfs, hops: 4 * vnfs };
}

/** A limit as the tree shows it, and takes it. */
export function limitText(limit: number): string {
  return limit === Number.POSITIVE_INFINITY ? unlimited : String(limit);
}

/** The canonical text of a limit, undefined when what was written is none. */
export function canonicalLimit(text: string): string | undefined {
  if (text === unlimited) return unlimited;
  return /^\d{1,9}$/.test(text) ? String(Number(text)) : undefined;
}

function parsed(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  return text === unlimited ? Number.POSITIVE_INFINITY : Number(text);
}
