import { processOf } from '../fuse/process-of.ts';
import type { RegularSpec } from './file-spec.ts';
import type { FollowedFile } from './followed-file.ts';
import type { PendingSave } from './pending-save.ts';
import { isStream, sizeOf, textOf } from './special-content.ts';
import type { ObjectView } from './views.ts';
import type { WrittenText } from './written-text.ts';

/** An open special file. */
export interface OpenFile {
  readonly view: ObjectView;
  readonly spec: RegularSpec;
  /** What it showed, or what its size was told of: the reads that follow see the same. */
  text: string | undefined;
  /** When its size was told, milliseconds; undefined once it was read. */
  promisedMs: number | undefined;
  /** Who opened it, and sees what concerns her. */
  readonly uid: number;
  /** Of a stream: what it is read from, and up to where it was read. */
  stream: FollowedFile | undefined;
  position: number;
  /** The kernel's handle of those who poll the file. */
  kh: number | undefined;
  /** Opened at a server before this one, which alone knew what was read: it counts as changed until it is read again. */
  inherited: boolean;
  /** What closing it may mean; undefined: nothing. */
  readonly pending: PendingSave | undefined;
  /** Of a value: what was written through it. */
  written: WrittenText | undefined;
  /** Made with O_CREAT on an undeployed VNF: somebody restores an instance. */
  readonly restoring: boolean;
}

/** How long what a size was told of is worth showing; then a read shows the value as it is. */
const promiseMs = 1000;

/** Text of an open file from its beginning on. */
export function textFromStart(file: OpenFile, view: ObjectView): string {
  const keeps = file.text !== undefined && file.promisedMs !== undefined && performance.now() - file.promisedMs < promiseMs;
  if (!keeps) file.text = textOf(view, file.spec);
  file.promisedMs = undefined;
  return file.text ?? '';
}

/**
 * The true size of an open counter, in bytes: that of what it showed last, or else of what it will show to who reads it now. Programs that ask an open file for its
 * size (tar, rsync) insist on reading as much.
 */
export function sizeWhileOpen(file: OpenFile, view: ObjectView): number {
  const now = performance.now();
  if (file.text === undefined || (file.promisedMs !== undefined && now - file.promisedMs >= promiseMs)) {
    file.text = textOf(view, file.spec);
    file.promisedMs = now;
  }
  return Buffer.byteLength(file.text);
}

/** True when a file is no longer what was read through this descriptor. Counters always change; nobody waits for that. */
export function hasChanged(file: OpenFile, view: ObjectView): boolean {
  if (file.inherited) return true;
  if (isStream(file.spec)) return (file.stream?.size ?? sizeOf(view, file.spec, file.uid)) > file.position;
  return file.spec.content === 'text' && file.text !== undefined && file.text !== textOf(view, file.spec);
}

/** So many of those who have a file open are looked at for another thread of a process. */
const mostAsked = 16;

/** The open special files, by handle. */
export class OpenFiles {
  readonly #files = new Map<number, OpenFile & { readonly nodeid: number; readonly pid: number }>();
  /** Handles of each file, the newest last. */
  readonly #handles = new Map<number, Set<number>>();

  /** @param place the file, and the thread that opens it. */
  add(
    { nodeid, pid, uid }: { readonly nodeid: number; readonly pid: number; readonly uid: number },
    fh: number,
    opened: Pick<OpenFile, 'view' | 'spec' | 'pending' | 'restoring'>,
  ): OpenFile {
    const state = {
      text: undefined,
      promisedMs: undefined,
      stream: undefined,
      position: 0,
      kh: undefined,
      inherited: false,
      written: undefined,
    };
    const file = { ...opened, ...state, nodeid, pid, uid };
    this.#files.set(fh, file);
    const handles = this.#handles.get(nodeid);
    if (handles === undefined) this.#handles.set(nodeid, new Set([fh]));
    else handles.add(fh);
    return file;
  }

  get(fh: number): OpenFile | undefined {
    return this.#files.get(fh);
  }

  /** Handle of a file that a process has open, the newest. The kernel does not say which one an fstat(2) is of. */
  newest(nodeid: number, pid: number): number | undefined {
    const handles = [...(this.#handles.get(nodeid) ?? [])].reverse();
    const own = handles.find((fh) => this.#files.get(fh)?.pid === pid);
    if (own !== undefined || handles.length === 0) return own;
    const asker = processOf(pid);
    return handles.slice(0, mostAsked).find((fh) => processOf(this.#files.get(fh)?.pid ?? 0) === asker);
  }

  /** @returns the file, undefined when the handle is not open. */
  remove(fh: number): OpenFile | undefined {
    const file = this.#files.get(fh);
    if (file === undefined) return undefined;
    this.#files.delete(fh);
    const handles = this.#handles.get(file.nodeid);
    handles?.delete(fh);
    if (handles?.size === 0) this.#handles.delete(file.nodeid);
    return file;
  }
}
