import { DirectoryTimes } from './directory-times.ts';
import type { Listing } from './file-spec.ts';
import type { HopView, ObjectView, SymlinkView, TreeChange } from './views.ts';

const noChildren: ReadonlyMap<string, ObjectView> = new Map();

/**
 * Every object, by serial and by name in its directory. The main thread holds the true one and posts its changes; the kernel
 * thread holds a replica and answers from it.
 */
export class Tree {
  readonly #objects = new Map<number, ObjectView>();
  readonly #times = new DirectoryTimes();
  /** By what is listed, then by the serial of the directory's object, then by name. */
  readonly #children: Readonly<Record<Listing, Map<number, Map<string, ObjectView>>>> = {
    type: new Map(),
    vnf: new Map(),
    port: new Map(),
    network: new Map(),
    host: new Map(),
    quota: new Map(),
    link: new Map(),
    chain: new Map(),
    entry: new Map(),
  };

  /** Takes one change in. */
  apply(change: TreeChange): void {
    if (change.kind === 'put') for (const view of change.views) this.#put(view);
    else {
      const view = this.#objects.get(change.serial);
      if (view !== undefined) this.#times.changed(view, Date.now());
      this.#times.forget(change.serial);
      this.#remove(change.serial);
    }
  }

  /** When what is in a directory of an object changed last, milliseconds since 1970. @param path below the object. */
  directoryChangedMs(view: ObjectView, path: string): number {
    return Math.max(view.createdMs, this.#times.get(view.serial, path));
  }

  /** The object with a serial, undefined when there is none (any more). */
  get(serial: number): ObjectView | undefined {
    return this.#objects.get(serial);
  }

  /** The children of one kind in an object's directory, by name: VNFs of a type, networks of the root. */
  children<K extends Exclude<Listing, 'link' | 'entry'>>(serial: number, kind: K): ReadonlyMap<string, Extract<ObjectView, { kind: K }>> {
    return (this.#children[kind].get(serial) ?? noChildren) as ReadonlyMap<string, Extract<ObjectView, { kind: K }>>;
  }

  /** What users put into the directory of a service chain or of a hop, by name. */
  entries(serial: number): ReadonlyMap<string, HopView | SymlinkView> {
    return (this.#children.entry.get(serial) ?? noChildren) as ReadonlyMap<string, HopView | SymlinkView>;
  }

  /** Everything of one kind in an object's directory, by name. */
  listed(serial: number, kind: Listing): ReadonlyMap<string, ObjectView> {
    return this.#children[kind].get(serial) ?? noChildren;
  }

  /** Ports linked from a network's ports directory, by the name of the link. */
  networkPorts(network: number): ReadonlyMap<string, ObjectView> {
    return this.#children.link.get(network) ?? noChildren;
  }

  /** Every object there is. */
  all(): IterableIterator<ObjectView> {
    return this.#objects.values();
  }

  /** In the place of what it was before: lists keep their order, and a Map in which entries come and go is made anew again and again. */
  #put(view: ObjectView): void {
    const before = this.#objects.get(view.serial);
    this.#times.replaced(before, view);
    if (before !== undefined && !isListedAlike(before, view)) this.#remove(view.serial);
    this.#objects.set(view.serial, view);
    if (view.kind === 'root') return;
    link(this.#children[listingOf(view)], view.parent, { name: view.name, view });
    if (view.kind === 'port' && view.network !== undefined) link(this.#children.link, view.network, { name: view.linkName, view });
  }

  #remove(serial: number): void {
    const view = this.#objects.get(serial);
    if (view === undefined) return;
    this.#objects.delete(serial);
    if (view.kind === 'root') return;
    unlink(this.#children[listingOf(view)], view.parent, view);
    if (view.kind === 'port' && view.network !== undefined)
      unlink(this.#children.link, view.network, { name: view.linkName, serial: view.serial });
  }
}

/** True for two of one object that are in the same directories under the same names. */
function isListedAlike(before: ObjectView, after: ObjectView): boolean {
  if (before.kind !== after.kind || before.parent !== after.parent || before.name !== after.name) return false;
  if (before.kind !== 'port' || after.kind !== 'port') return true;
  return before.network === after.network && before.linkName === after.linkName;
}

function listingOf({ kind }: Exclude<ObjectView, { kind: 'root' }>): Exclude<Listing, 'link'> {
  return kind === 'hop' || kind === 'symlink' ? 'entry' : kind;
}

function link(
  directories: Map<number, Map<string, ObjectView>>,
  serial: number,
  child: { readonly name: string; readonly view: ObjectView },
): void {
  const siblings = directories.get(serial);
  if (siblings === undefined) directories.set(serial, new Map([[child.name, child.view]]));
  else siblings.set(child.name, child.view);
}

/** Another object may have taken the name meanwhile: a link that is renamed over one. */
function unlink(
  directories: Map<number, Map<string, ObjectView>>,
  serial: number,
  child: { readonly name: string; readonly serial: number },
): void {
  const siblings = directories.get(serial);
  if (siblings?.get(child.name)?.serial === child.serial) siblings.delete(child.name);
  if (siblings?.size === 0) directories.delete(serial);
}
