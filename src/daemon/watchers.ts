import { unwatchFile, watch, watchFile } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { RegularSpec } from '../tree/file-spec.ts';
import { fileAt, fileAtPath } from '../tree/files.ts';
import { isStream, streamPath } from '../tree/special-content.ts';
import type { Tree } from '../tree/tree.ts';
import type { ObjectView } from '../tree/views.ts';
import { indexOf, serialOf, specialNodeid } from '../vfs/nodeid.ts';

/** Root's events are all there are; those of users have grown before them. */
const allSeeing = 0;
/** What cannot be watched is looked at so often, milliseconds. */
const lookMs = 1000;

/** Who waits for a file to change: the kernel's handles of poll(2) and epoll(7), by nodeid. */
export class Watchers {
  readonly #tree: Tree;
  readonly #wake: (kh: number) => void;
  readonly #handles = new Map<number, Set<number>>();
  /** How each stream is let go of. */
  readonly #streams = new Map<number, () => void>();

  constructor(tree: Tree, wake: (kh: number) => void) {
    this.#tree = tree;
    this.#wake = wake;
  }

  /** A client waits for a file. */
  add(nodeid: number, kh: number): void {
    const handles = this.#handles.get(nodeid) ?? new Set();
    handles.add(kh);
    this.#handles.set(nodeid, handles);
    this.#watchStream(nodeid);
  }

  /** It closed the file. */
  remove(nodeid: number, kh: number): void {
    const handles = this.#handles.get(nodeid);
    handles?.delete(kh);
    if (handles?.size !== 0) return;
    this.#handles.delete(nodeid);
    this.#streams.get(nodeid)?.();
    this.#streams.delete(nodeid);
  }

  /** An object is about to be shown anew: wakes those who wait for what changes. */
  changed(before: ObjectView | undefined, after: ObjectView): void {
    if (this.#handles.size === 0 || before === undefined) return;
    for (const path of new Set([...Object.keys(before.texts), ...Object.keys(after.texts)])) {
      const spec = before.texts[path] === after.texts[path] ? undefined : fileAtPath(after, path);
      if (spec !== undefined) this.#wakeAll(specialNodeid(after.serial, spec.index));
    }
  }

  #wakeAll(nodeid: number): void {
    for (const kh of this.#handles.get(nodeid) ?? []) this.#wake(kh);
  }

  /** A stream grows behind our back: inotify(7) on the file that holds it. */
  #watchStream(nodeid: number): void {
    const view = this.#tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec === undefined || !isStream(spec) || this.#streams.has(nodeid)) return;
    this.#streams.set(
      nodeid,
      watchGrowth(streamPath(view, spec as RegularSpec, allSeeing), () => this.#wakeAll(nodeid)),
    );
  }
}

/** Tells when a file changes. @returns what ends that. */
function watchGrowth(path: string, tell: () => void): () => void {
  try {
    // The directory is watched, for the file may not be there yet, or be replaced by a shorter one.
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === basename(path)) tell();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    // The directory is not there yet (the VNF was never deployed), or no more can be watched (inotify(7) has limits).
    watchFile(path, { persistent: false, interval: lookMs }, tell);
    return () => unwatchFile(path, tell);
  }
}
