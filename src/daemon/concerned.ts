import type { FileSpec } from '../tree/file-spec.ts';
import { fileAt } from '../tree/files.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import { errorSerial, objectPath } from '../tree/object-path.ts';
import type { Tree } from '../tree/tree.ts';
import type { ObjectView } from '../tree/views.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';

/** Requests that change something, and what people call that. */
const words = {
  mkdir: 'mkdir',
  symlink: 'ln',
  rmdir: 'rmdir',
  unlink: 'rm',
  rename: 'mv',
  create: 'create',
  misplaced: 'create',
  own: 'chown',
  write: 'set',
  restore: 'set',
  empty: 'set',
  refused: 'action',
  command: 'command',
  finish: 'command',
  configure: 'save',
  replace: 'save',
} as const;

/** What writing to a file is called that is no setting. */
const writes: Readonly<Record<string, string>> = { action: 'action', module: 'write', probe: 'probe' };

/** What is done with an object by writing to a file of it. */
const ofObject: readonly string[] = ['action', 'command'];

/** A request that changes something. */
export type Change = Extract<Forwarded, { readonly op: keyof typeof words }>;

/** One on a name in a directory. */
export type NamedChange = Extract<Change, { readonly name: string }>;

/** What a change is about. */
export interface Concerned {
  /** What people call it: one of a few words. */
  readonly word: string;
  /** Below the mountpoint; empty when that is gone. */
  readonly path: string;
  /** Of the object whose `error` tells of it. */
  readonly serial: number | undefined;
  /** It makes, removes or renames an object, and no file that all such objects have. */
  readonly isObject: boolean;
}

/** True for a request that changes something. */
export function isChange(message: Forwarded): message is Change {
  return message.op in words;
}

/** True for one on a name in a directory. */
export function isNamed(message: Change): message is NamedChange {
  return 'name' in message;
}

/** What a change is about, before it is carried out. */
export function concernedBy(message: Change, tree: Tree): Concerned {
  if (message.op === 'configure' || message.op === 'replace') {
    const serial = message.op === 'replace' ? message.serial : message.serials[0];
    const view = tree.get(serial ?? -1);
    return { word: words[message.op], path: view === undefined ? '' : objectPath(tree, view), serial, isObject: false };
  }
  const nodeid = 'nodeid' in message ? message.nodeid : message.ticket.nodeid;
  const found = fileOf(nodeid, tree);
  const word = wordOf(message, found?.spec);
  if (found === undefined) return { word, path: '', serial: undefined, isObject: false };
  const name = isNamed(message) ? message.name : '';
  const child = childOf(found, name, tree);
  const path = ofObject.includes(word) ? objectPath(tree, found.view) : pathIn(nodeid, name, tree);
  return { word, path, serial: errorSerial(child ?? found.view), isObject: isNamed(message) && isPlaceOfObject(found.spec, name) };
}

/** Path of a name in a directory, or without one of a file itself, below the mountpoint; empty when that is gone. */
export function pathIn(nodeid: number, name: string, tree: Tree): string {
  const found = fileOf(nodeid, tree);
  if (found === undefined) return '';
  return [objectPath(tree, found.view), found.spec.path, name].filter((part) => part !== '').join('/');
}

function wordOf(message: Change, spec: FileSpec | undefined): string {
  if (message.op === 'own') return message.uid === undefined && message.gid === undefined ? 'chmod' : 'chown';
  const write = message.op === 'write' && spec?.type === 'file' ? spec.write : undefined;
  return writes[write ?? ''] ?? words[message.op];
}

function fileOf(nodeid: number, tree: Tree): { readonly view: ObjectView; readonly spec: FileSpec } | undefined {
  const view = tree.get(serialOf(nodeid));
  const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
  return view === undefined || spec === undefined ? undefined : { view, spec };
}

function isPlaceOfObject(spec: FileSpec, name: string): boolean {
  return spec.type === 'directory' && spec.listing !== undefined && spec.listing !== 'link' && !spec.children.has(name);
}

function childOf({ view, spec }: { readonly view: ObjectView; readonly spec: FileSpec }, name: string, tree: Tree): ObjectView | undefined {
  if (spec.type !== 'directory' || spec.listing === undefined || spec.listing === 'link') return undefined;
  return tree.listed(view.serial, spec.listing).get(name);
}
