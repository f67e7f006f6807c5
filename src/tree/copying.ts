import { commandName } from '../fuse/command-name.ts';
import { specialNodeid } from '../vfs/nodeid.ts';
import { type ObjectKind, topIndex } from './file-spec.ts';
import type { ObjectView } from './views.ts';

/** Programs that copy trees and insist on making every file of a directory they made. */
const copiers = new Set(['cp', 'rsync', 'git']);

/** Programs that write what they read elsewhere, and mean nothing by it. */
const restorers = new Set([...copiers, 'tar', 'bsdtar', 'cpio']);

/** True for a process whose program copies or unpacks files. */
export function isRestorer(pid: number): boolean {
  return restorers.has(commandName(pid));
}

/**
 * `cp -r fw-a fw-b` makes fw-b and then each file in it, with O_EXCL and without looking first. In a file system whose directories are born with their files
 * every one of these would fail with EEXIST, so for the process that copies, and for nobody else, a directory it made shows only what it has
 * made in it. rsync and git look first, and would take a file that was there from the start for one that is up to date.
 */
export class CopyingProcesses {
  /** What a process has made in a directory it made: by pid and the directory's own place. */
  readonly #made = new Map<string, Set<string>>();
  readonly #pids = new Map<number, string[]>();

  /** A process makes a directory. @returns whether it is one that copies. */
  began(pid: number, parent: number, name: string): boolean {
    if (!this.#pids.has(pid)) {
      if (!copiers.has(commandName(pid))) return false;
      this.#forgetEnded();
      this.#pids.set(pid, []);
    }
    const key = keyOf(pid, parent, name);
    this.#pids.get(pid)?.push(key);
    this.#made.set(key, new Set());
    return true;
  }

  /** True for a file that this process has yet to make. `path` is below the object. */
  hides(pid: number, view: ObjectView, path: string): boolean {
    if (this.#pids.size === 0 || path === '') return false;
    const made = this.#madeIn(pid, view);
    return made !== undefined && !made.has(path);
  }

  /** It makes one. */
  made(pid: number, view: ObjectView, path: string): void {
    this.#madeIn(pid, view)?.add(path);
  }

  #madeIn(pid: number, view: ObjectView): Set<string> | undefined {
    const place = placeOf(view);
    return place === undefined ? undefined : this.#made.get(keyOf(pid, place.parent, place.name));
  }

  #forgetEnded(): void {
    for (const [pid, keys] of this.#pids) {
      if (copiers.has(commandName(pid))) continue;
      for (const key of keys) this.#made.delete(key);
      this.#pids.delete(pid);
    }
  }
}

function keyOf(pid: number, parent: number, name: string): string {
  return `${pid}/${parent}/${name}`;
}

/** Index of the directory that objects of a kind are in, among the files of the object above them. */
const homes: Readonly<Partial<Record<ObjectKind, number>>> = {
  vnf: topIndex,
  port: 15,
  network: 3,
  host: 4,
  chain: 6,
  hop: topIndex,
};

/** The directory an object is in, as nodeid and name; undefined for objects that nobody makes by copying. */
function placeOf(view: ObjectView): { readonly parent: number; readonly name: string } | undefined {
  const home = homes[view.kind];
  return home === undefined ? undefined : { parent: specialNodeid(view.parent, home), name: view.name };
}
