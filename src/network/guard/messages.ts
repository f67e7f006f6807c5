import { type Attribute, encodeAttributes } from '../rtnetlink.ts';
import type { GuardElement } from './elements.ts';
import { guardTableName } from './rules.ts';

// linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, linux/netfilter.h
const nftables = 10;
const bridgeFamily = 7;
const Message = {
  begin: 0x10,
  end: 0x11,
  newElement: (nftables << 8) | 12,
  deleteElement: (nftables << 8) | 14,
  newObject: (nftables << 8) | 18,
  deleteObject: (nftables << 8) | 20,
} as const;
const Flag = { request: 1, acknowledge: 4, create: 0x400 } as const;
const ElementList = { table: 1, set: 2, elements: 3 } as const;
const Element = { key: 1, data: 2, object: 9 } as const;
const Data = { value: 1, verdict: 2 } as const;
const Verdict = { code: 1, chain: 2 } as const;
const goto = -4;
const NamedObject = { table: 1, name: 2, type: 3, data: 4 } as const;
const counterType = 1;
const listElement = 1;

/** What to do with the table, in this order, all of it or nothing. */
export interface GuardChange {
  /** Sets to empty first. */
  readonly emptied: readonly string[];
  readonly added: readonly GuardElement[];
  readonly removed: readonly GuardElement[];
}

/** One transaction of nf_tables. The last of its messages asks for an acknowledgement, which comes when all were carried out. */
export function guardTransaction({ emptied, added, removed }: GuardChange): Buffer {
  const table: Attribute = [ElementList.table, guardTableName];
  const inSet = (set: string): Attribute[] => [table, [ElementList.set, set]];
  const elements = (type: number, list: readonly GuardElement[]): readonly [number, readonly Attribute[]][] =>
    [...Map.groupBy(list, ({ set }) => set)].map(([set, those]) => [
      type,
      [...inSet(set), [ElementList.elements, those.map((each): Attribute => [listElement, elementAttributes(each)])]],
    ]);
  const counters = (type: number, list: readonly GuardElement[]): readonly [number, readonly Attribute[]][] =>
    countersOf(list).map((name) => [
      type,
      [table, [NamedObject.name, name], [NamedObject.type, bigEndian(counterType)], [NamedObject.data, []]],
    ]);
  const messages = [
    ...emptied.map((set) => [Message.deleteElement, inSet(set)] as const),
    ...elements(Message.deleteElement, removed),
    ...counters(Message.newObject, added),
    ...elements(Message.newElement, added),
    ...counters(Message.deleteObject, goneCounters(added, removed)),
  ];
  const parts = messages.map(([type, attributes], index) =>
    message(type, attributes, { number: index + 1, last: index + 1 === messages.length }),
  );
  return Buffer.concat([frame(Message.begin, 0), ...parts, frame(Message.end, messages.length + 1)]);
}

/** A port whose element leads to the same counter as before keeps it. */
function goneCounters(added: readonly GuardElement[], removed: readonly GuardElement[]): GuardElement[] {
  const kept = new Set(countersOf(added));
  return removed.filter(({ value }) => value !== undefined && 'counter' in value && !kept.has(value.counter));
}

function countersOf(elements: readonly GuardElement[]): string[] {
  return elements.flatMap(({ value }) => (value !== undefined && 'counter' in value ? [value.counter] : []));
}

function elementAttributes({ key, value }: GuardElement): Attribute[] {
  const keyed: Attribute = [Element.key, [[Data.value, key]]];
  if (value === undefined) return [keyed];
  if ('counter' in value) return [keyed, [Element.object, value.counter]];
  if ('mark' in value) return [keyed, [Element.data, [[Data.value, value.mark]]]];
  const verdict: Attribute[] = [
    [Verdict.code, bigEndian(goto)],
    [Verdict.chain, value.chain],
  ];
  return [keyed, [Element.data, [[Data.verdict, verdict]]]];
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function message(type: number, attributes: readonly Attribute[], place: { readonly number: number; readonly last: boolean }): Buffer {
  const creates = type === Message.newElement || type === Message.newObject ? Flag.create : 0;
  const flags = Flag.request | creates | (place.last ? Flag.acknowledge : 0);
  return encode(type, { flags, number: place.number, family: bridgeFamily, resource: 0 }, encodeAttributes(attributes));
}

/** Begins or ends a transaction. */
function frame(type: number, number: number): Buffer {
  return encode(type, { flags: Flag.request, number, family: 0, resource: nftables }, Buffer.alloc(0));
}

/** struct nlmsghdr and struct nfgenmsg, and what follows. */
function encode(
  type: number,
  head: { readonly flags: number; readonly number: number; readonly family: number; readonly resource: number },
  rest: Buffer,
): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32LE(header.length + rest.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(head.flags, 6);
  header.writeUInt32LE(head.number, 8);
  header.writeUInt8(head.family, 16);
  header.writeUInt16BE(head.resource, 18);
  return Buffer.concat([header, rest]);
}
