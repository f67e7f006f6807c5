import type { GuardElement } from './elements.ts';
import { guardTableName, setNames } from './rules.ts';

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
/** NFT_GOTO, -4, big-endian. */
const goto = 'fffffffc';
const NamedObject = { table: 1, name: 2, type: 3, data: 4 } as const;
const counterType = '00000001';
const listElement = 1;
const headerBytes = 20;

/** What to do with the table, in this order, all of it or nothing. */
export interface GuardChange {
  /** Sets to empty first. */
  readonly emptied: readonly string[];
  readonly added: readonly GuardElement[];
  readonly removed: readonly GuardElement[];
}

interface Part {
  readonly type: number;
  /** In hexadecimal digits, as all here: they are sent so, and to put them together costs a fraction of what it costs to copy bytes. */
  readonly attributes: string;
}

const table = text(ElementList.table, guardTableName);
const places = new Map(setNames.map((set) => [set, table + text(ElementList.set, set)]));

/** One transaction of nf_tables, in hexadecimal digits. The last of its messages asks for an acknowledgement, which comes when all were carried out. */
export function guardTransaction({ emptied, added, removed }: GuardChange): string {
  const parts: Part[] = [
    ...emptied.map((set) => ({ type: Message.deleteElement, attributes: placeOf(set) })),
    ...elements(Message.deleteElement, removed),
    ...counters(Message.newObject, added),
    ...elements(Message.newElement, added),
    ...counters(Message.deleteObject, goneCounters(added, removed)),
  ];
  const messages = parts.map(({ type, attributes }, index) => {
    const creates = type === Message.newElement || type === Message.newObject ? Flag.create : 0;
    const flags = Flag.request | creates | (index + 1 === parts.length ? Flag.acknowledge : 0);
    return message(type, attributes, { flags, number: index + 1, family: bridgeFamily, resource: 0 });
  });
  const frame = (type: number, number: number): string => message(type, '', { flags: Flag.request, number, family: 0, resource: nftables });
  return [frame(Message.begin, 0), ...messages, frame(Message.end, parts.length + 1)].join('');
}

function elements(type: number, list: readonly GuardElement[]): Part[] {
  return [...Map.groupBy(list, ({ set }) => set)].map(([set, those]) => {
    const all = those.map((each) => attribute(listElement, elementAttributes(each))).join('');
    return { type, attributes: placeOf(set) + attribute(ElementList.elements, all) };
  });
}

function counters(type: number, list: readonly GuardElement[]): Part[] {
  return countersOf(list).map((name) => {
    const kind = attribute(NamedObject.type, counterType) + attribute(NamedObject.data, '');
    return { type, attributes: table + text(NamedObject.name, name) + kind };
  });
}

/** A port whose element leads to the same counter as before keeps it. */
function goneCounters(added: readonly GuardElement[], removed: readonly GuardElement[]): GuardElement[] {
  const kept = new Set(countersOf(added));
  return removed.filter(({ value }) => value !== undefined && 'counter' in value && !kept.has(value.counter));
}

function countersOf(list: readonly GuardElement[]): string[] {
  return list.flatMap(({ value }) => (value !== undefined && 'counter' in value ? [value.counter] : []));
}

function placeOf(set: string): string {
  return places.get(set) ?? table;
}

function elementAttributes({ key, value }: GuardElement): string {
  const keyed = attribute(Element.key, attribute(Data.value, key));
  if (value === undefined) return keyed;
  if ('counter' in value) return keyed + text(Element.object, value.counter);
  if ('mark' in value) return keyed + attribute(Element.data, attribute(Data.value, value.mark));
  const verdict = attribute(Verdict.code, goto) + text(Verdict.chain, value.chain);
  return keyed + attribute(Element.data, attribute(Data.verdict, verdict));
}

function text(type: number, value: string): string {
  return attribute(type, `${Buffer.from(value).toString('hex')}00`);
}

/** struct nlattr, and what it holds, up to a multiple of four bytes. */
function attribute(type: number, digits: string): string {
  const length = 4 + digits.length / 2;
  return little(length, 2) + little(type, 2) + digits + '00'.repeat(-length & 3);
}

/** struct nlmsghdr and struct nfgenmsg, and what follows. */
function message(
  type: number,
  rest: string,
  head: { readonly flags: number; readonly number: number; readonly family: number; readonly resource: number },
): string {
  const { flags, number, family, resource } = head;
  const netlink = little(headerBytes + rest.length / 2, 4) + little(type, 2) + little(flags, 2) + little(number, 4) + little(0, 4);
  return `${netlink}${little(family, 2)}${resource.toString(16).padStart(4, '0')}${rest}`;
}

/** A number of some bytes, the lowest first, as the machine has it. */
function little(value: number, bytes: 2 | 4): string {
  const lowest = (((value & 0xff) << 8) | ((value >> 8) & 0xff)).toString(16).padStart(4, '0');
  return bytes === 2 ? lowest : lowest + little(value >>> 16, 2);
}
