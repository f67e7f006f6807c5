import { readdirSync } from 'node:fs';
import { findProcess, type ProcessId } from '../../network/index.ts';
import { readOrEmpty } from '../read-or-empty.ts';

/** A guest's init as its label names it. */
export interface LabelledProcess extends ProcessId {
  readonly id: string;
  readonly type: string;
  readonly name: string;
}

/** What an init is of: a guest that runs, or a view of the root of one that does not. */
export type InitKind = 'guest' | 'view';

/** What a guest's init shows as its arguments, one after the other. */
export function guestLabel(guest: {
  readonly kind: InitKind;
  readonly mountId: string;
  readonly id: string;
  readonly type: string;
  readonly name: string;
}): string {
  return [`nfio-${guest.kind}`, guest.mountId, guest.id, guest.type, guest.name].join(' ');
}

/** Inits of one kind of the guests of a mount, found by their label. */
export function findInits(kind: InitKind, mountId: string): LabelledProcess[] {
  return findAllInits(mountId)[kind];
}

/** Those of both kinds, in one look at all processes. */
export function findAllInits(mountId: string): Readonly<Record<InitKind, LabelledProcess[]>> {
  const inits: Record<InitKind, LabelledProcess[]> = { guest: [], view: [] };
  for (const number of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const label = readOrEmpty(`/proc/${number}/cmdline`).split('\0', 1)[0] ?? '';
    const [, mount, id = '', type = '', name = ''] = label.split(' ');
    if (mount !== mountId) continue;
    const kind = (['guest', 'view'] as const).find((each) => label === guestLabel({ kind: each, mountId, id, type, name }));
    const found = kind !== undefined && isInit(number) ? findProcess(Number(number)) : undefined;
    if (kind !== undefined && found !== undefined) inits[kind].push({ ...found, id, type, name });
  }
  return inits;
}

/** Pid 1 of a namespace right below this one: not what a guest gave the same arguments, if need be in a namespace of its own. */
function isInit(number: string): boolean {
  const numbers = namespaceNumbers(number);
  return numbers.at(-1) === '1' && numbers.length === namespaceNumbers('self').length + 1;
}

function namespaceNumbers(number: string): string[] {
  return /^NSpid:\t(.*)$/m.exec(readOrEmpty(`/proc/${number}/status`))?.[1]?.split('\t') ?? [];
}
