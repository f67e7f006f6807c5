import type { ObjectView, TreeChange } from './views.ts';

const noChildren: ReadonlyMap<string, ObjectView> = new Map();

/**
 * Every object, by serial and by name in its directory. The main thread holds the true one and posts its changes; the kernel
 * thread holds a replica and answers from it.
 */
export class Tree {
  readonly #objects = new Map<number, ObjectView>();
  readonly #children = new Map<string, Map<string, ObjectView>>();

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
  children<K extends ObjectView['kind']>(serial: number, kind: K): ReadonlyMap<string, Extract<ObjectView, { kind: K }>> {
    return (this.#children.get(childrenKey(serial, kind)) ?? noChildren) as ReadonlyMap<string, Extract<ObjectView, { kind: K }>>;
  }

  /** Ports linked from a network's ports directory, by the name of the link. */
  networkPorts(network: number): ReadonlyMap<string, ObjectView> {
    return this.#children.get(childrenKey(network, 'link')) ?? noChildren;
  }

  /** Every object there is. */
  all(): IterableIterator<ObjectView> {
    return this.#objects.values();
  }

  #put(view: ObjectView): void {
    this.#remove(view.serial);
    this.#objects.set(view.serial, view);
    if (view.kind === 'root') return;
    this.#link(childrenKey(view.parent, view.kind), view.name, view);
    if (view.kind === 'port' && view.network !== undefined) this.#link(childrenKey(view.network, 'link'), view.linkName, view);
  }

  #remove(serial: number): void {
    const view = this.#objects.get(serial);
    if (view === undefined) return;
    this.#objects.delete(serial);
    this.#unlink(childrenKey(view.parent, view.kind), view.name);
    if (view.kind === 'port' && view.network !== undefined) this.#unlink(childrenKey(view.network, 'link'), view.linkName);
  }

  #link(key: string, name: string, view: ObjectView): void {
    const siblings = this.#children.get(key);
    if (siblings === undefined) this.#children.set(key, new Map([[name, view]]));
    else siblings.set(name, view);
  }

  #unlink(key: string, name: string): void {
    const siblings = this.#children.get(key);
    siblings?.delete(name);
    if (siblings?.size === 0) this.#children.delete(key);
  }
}

function childrenKey(serial: number, kind: ObjectView['kind'] | 'link'): string {
  return `${serial}/${kind}`;
}
