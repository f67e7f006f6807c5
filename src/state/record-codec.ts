import { hypervisorNames, type Placement } from '../domain/ports/hypervisor.ts';
import type {
  ChainRecord,
  HopRecord,
  LinkRecord,
  ObjectRecord,
  Ownership,
  PortRecord,
  StoredRecord,
  VnfRecord,
} from '../domain/records.ts';
import { seal, unseal } from './seal.ts';

/** The text of a record on disk: JSON that a person can read and git can compare, with its checksum. */
export function encodeRecord(record: StoredRecord): string {
  return seal(`${JSON.stringify(record, undefined, 2)}\n`);
}

/**
 * A record from its text; one of an older version, or edited by hand, has no checksum.
 *
 * @throws SyntaxError or TypeError when the text is not a whole record: damaged, or written by something else.
 */
export function decodeRecord(text: string): StoredRecord {
  const value: unknown = JSON.parse(unseal(text));
  const record = checkObject(value) as StoredRecord;
  if (record.kind === 'vnf') {
    if (typeof record.type !== 'string' || !Array.isArray(record.ports)) throw new TypeError('not a VNF record');
    const ports = record.ports.map((port) => checkObject(port) as PortRecord);
    const deployed = record.deployed === true;
    return {
      ...record,
      ports,
      deployed,
      placement: deployed ? placementOf(record) : undefined,
      inconsistent: record.inconsistent === true,
    };
  }
  if (record.kind === 'chain') return checkChain(record);
  if (['type', 'network', 'host', 'quota'].includes(record.kind)) return record;
  throw new TypeError('unknown kind of record');
}

function checkChain(record: ChainRecord): ChainRecord {
  if (!Array.isArray(record.hops) || !Array.isArray(record.links)) throw new TypeError('not a record of a service chain');
  const links = (list: readonly unknown[]): LinkRecord[] =>
    list.map((each) => {
      const link = checkObject(each) as LinkRecord;
      if (typeof link.target !== 'string') throw new TypeError('not a link');
      return link;
    });
  const hops = record.hops.map((each) => {
    const hop = checkObject(each) as HopRecord;
    if (!Array.isArray(hop.links)) throw new TypeError('not a hop');
    return { ...hop, links: links(hop.links) };
  });
  return { ...record, hops, links: links(record.links), settled: record.settled !== false };
}

/** Before format 3 guests were all on this machine, and records did not say so. */
function placementOf({ placement = { hypervisor: 'netns', host: '' } }: VnfRecord): Placement {
  if (!hypervisorNames.includes(placement.hypervisor) || typeof placement.host !== 'string') throw new TypeError('not a placement');
  return placement;
}

function checkObject(value: unknown): ObjectRecord & { readonly name: string } {
  const record = value as Partial<ObjectRecord & { name: string }> | null;
  if (typeof record !== 'object' || record === null) throw new TypeError('not a record');
  const whole = Number.isSafeInteger(record.serial) && typeof record.name === 'string' && isOwnership(record);
  if (!whole || !isMap(record.settings, (item) => typeof item === 'string') || !isMap(record.ownership, isOwnership)) {
    throw new TypeError('a field of the record is missing or has the wrong type');
  }
  return record as ObjectRecord & { name: string };
}

function isOwnership(value: unknown): boolean {
  const { uid, gid, mode } = (value ?? {}) as Partial<Ownership>;
  return [uid, gid, mode].every(Number.isSafeInteger);
}

function isMap(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every(isItem);
}
