import type { ObjectView } from './views.ts';

/** When the directories of objects changed last: when something came to be in them, or went. Of those that never did nothing is kept. */
export class DirectoryTimes {
  readonly #times = new Map<number, Map<string, number>>();

  /** Milliseconds since 1970; 0: not since its object was made. @param path of the directory, below its object. */
  get(serial: number, path: string): number {
    return this.#times.get(serial)?.get(path) ?? 0;
  }

  /** What an object is in changed: it was made, removed or renamed. */
  changed(view: ObjectView, ms: number): void {
    if (view.kind === 'root') return;
    this.#note(view.parent, directoryOf(view), ms);
    if (view.kind === 'port' && view.network !== undefined) this.#note(view.network, 'ports', ms);
  }

  /** An object is as follows from now on, and was so before, if it was. */
  replaced(before: ObjectView | undefined, view: ObjectView): void {
    if (before === undefined) this.changed(view, view.createdMs);
    else if (before.kind !== 'root' && view.kind !== 'root' && isMoved(before, view)) {
      const now = Date.now();
      this.changed(before, now);
      this.changed(view, now);
    }
    if (before !== undefined) for (const path of newlyHidden(before, view)) this.#note(view.serial, parentOf(path), Date.now());
  }

  forget(serial: number): void {
    this.#times.delete(serial);
  }

  #note(serial: number, path: string, ms: number): void {
    const times = this.#times.get(serial);
    if (times === undefined) this.#times.set(serial, new Map([[path, ms]]));
    else times.set(path, Math.max(ms, times.get(path) ?? 0));
  }
}

type Child = Exclude<ObjectView, { kind: 'root' }>;

/** The directory of its parent that an object is listed in. */
function directoryOf({ kind }: Child): string {
  return {
    type: 'nf-types',
    vnf: '',
    port: 'ports',
    network: 'networks',
    host: 'hosts',
    quota: 'quotas',
    chain: 'chns',
    hop: '',
    symlink: '',
  }[kind];
}

function isMoved(before: Child, view: Child): boolean {
  if (before.kind === 'port' && view.kind === 'port' && before.network !== view.network) return true;
  return before.name !== view.name || before.parent !== view.parent;
}

/** Files that came or went: those of which only one of the two says that its owner removed them. */
function newlyHidden(before: ObjectView, view: ObjectView): readonly string[] {
  const [earlier, later] = [hiddenOf(before), hiddenOf(view)];
  if (earlier.length === 0 && later.length === 0) return [];
  return [...earlier.filter((path) => !later.includes(path)), ...later.filter((path) => !earlier.includes(path))];
}

function hiddenOf(view: ObjectView): readonly string[] {
  return 'hidden' in view ? view.hidden : [];
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
