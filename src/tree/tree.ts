import type { Listing } from './file-spec.ts';
import type { ObjectView, TreeChange } from './views.ts';

const noChildren: ReadonlyMap<string, ObjectView> = new Map();

/**
 * Every object, by serial and by name in its directory. The main thread holds the true one and posts its changes; the kernel
 * thread holds a replica and answers from it.
 */
export class Tree {
  readonly #objects = new Map<number, ObjectView>();
  /** By what is listed, then by the serial of the directory's object, then by name. */
  readonly #children: Readonly<Record<Listing, Map<number, Map<string, ObjectView>>>> = {
    type: new Map(),
    vnf: new Map(),
    port: new Map(),
    network: new Map(),
    host: new Map(),
    link: new Map(),
  };

  /** Takes one change in. */
  apply(change: TreeChange): void {
    if (change.kind === 'remove') this.#remove(change.serial);
    else this.#put(change.view);
  }

  /** The object with a serial, undefined when there is none (any more). */
  get(serial: number): ObjectView | undefined {
    return this.#objects.get(serial);
  }

  /** The children of one kind in an object's directory, by name: VNFs of a type, networks of the root. */
  children<K extends Exclude<Listing, 'link'>>(serial: number, kind: K): ReadonlyMap<string, Extract<ObjectView, { kind: K }>> {
    return (this.#children[kind].get(serial) ?? noChildren) as ReadonlyMap<string, Extract<ObjectView, { kind: K }>>;
  }

  /** Ports linked from a network's ports directory, by the name of the link. */
  networkPorts(network: number): ReadonlyMap<string, ObjectView> {
    return this.#children.link.get(network) ?? noChildren;
  }

  /** Every object there is. */
  all(): IterableIterator<ObjectView> {
    return this.#objects.values();
  }

  #put(view: ObjectView): void {
    this.#remove(view.serial);
    this.#objects.set(view.serial, view);
    if (view.kind === 'root') return;
    link(this.#children[view.kind], view.parent, { name: view.name, view });
    if (view.kind === 'port' && view.network !== undefined) link(this.#children.link, view.network, { name: view.linkName, view });
  }

  #remove(serial: number): void {
    const view = this.#objects.get(serial);
    if (view === undefined) return;
    this.#objects.delete(serial);
    if (view.kind === 'root') return;
    unlink(this.#children[view.kind], view.parent, view.name);
    if (view.kind === 'port' && view.network !== undefined) unlink(this.#children.link, view.network, view.linkName);
  }
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

function unlink(directories: Map<number, Map<string, ObjectView>>, serial: number, name: string): void {
  const siblings = directories.get(serial);
  siblings?.delete(name);
  if (siblings?.size === 0) directories.delete(serial);
}
