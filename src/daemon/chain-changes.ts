import type { Caller } from '../domain/event.ts';
import type { Ownership } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { LinkPlace } from '../orchestrator/chains/chain-service.ts';
import type { Chains } from '../orchestrator/chains/chains.ts';
import type { Replicas } from '../orchestrator/chains/replicas.ts';
import type { ChainView, HopView, ObjectView, SymlinkView } from '../tree/views.ts';

/** What is in a directory of a service chain, and the place of a name there. */
interface Named {
  readonly name: string;
  readonly entry: HopView | SymlinkView | undefined;
}

/** What changing requests on the names in directories of service chains mean. */
export class ChainChanges {
  readonly #chains: Chains;
  readonly #replicas: Replicas;

  constructor(chains: Chains, replicas: Replicas) {
    this.#chains = chains;
    this.#replicas = replicas;
  }

  /** A hop without an instance. */
  async mkdir(view: ObjectView, name: string, owner: Ownership): Promise<void> {
    if (view.kind !== 'chain') throw notHere(`a directory ${name}`);
    await this.#chains.service.makeHop(view.serial, name, owner);
  }

  async symlink(view: ObjectView, name: string, link: { readonly target: string; readonly owner: Ownership }): Promise<number> {
    const made = await this.#chains.service.symlink(placeOf(view, name), name, link);
    return made.serial;
  }

  async unlink(view: ObjectView, { name, entry }: Named): Promise<void> {
    if (entry?.kind === 'hop')
      throw new NfioError('NotPermittedError', { errno: 'EISDIR', message: `${name} is a hop. Run: rm -r ${name}` });
    await this.#chains.service.unlink(placeOf(view, name), name);
  }

  async rmdir(view: ObjectView, { name, entry }: Named): Promise<void> {
    if (entry?.kind !== 'hop')
      throw new NfioError('NotPermittedError', { errno: 'ENOTDIR', message: `${name} is a link. Run: rm ${name}` });
    await this.#chains.service.removeHop(view.serial, entry.serial);
  }

  async rename(from: Named & { readonly view: ObjectView }, to: { readonly view: ObjectView; readonly name: string }): Promise<void> {
    const [source, target] = [placeOf(from.view, from.name), placeOf(to.view, to.name)];
    if (from.entry?.kind !== 'hop') {
      await this.#chains.service.renameLink({ ...source, name: from.name }, { ...target, name: to.name });
    } else if (from.view.serial === to.view.serial) {
      await this.#chains.service.renameHop(from.view.serial, from.entry.serial, to.name);
    } else {
      throw new NfioError('NotPermittedError', {
        errno: 'EXDEV',
        message: 'a hop belongs to its service chain. Make one in the other: ln -s MOUNTPOINT/nf-types/TYPE/NAME chns/CHAIN/HOP',
      });
    }
  }

  /** Special files go only with the whole. */
  hide(view: ChainView | HopView, path: string): void {
    this.#chains.service.hide(placeOf(view, path), path);
  }

  /** They are made again. */
  show(view: ChainView | HopView, path: string): void {
    this.#chains.service.show(placeOf(view, path), path);
  }

  async set(
    view: ChainView | HopView,
    path: string,
    options: { readonly text: string; readonly actor: Caller; readonly signal: AbortSignal },
  ): Promise<void> {
    if (view.kind === 'chain') await this.#chains.service.set(view.serial, path, options);
    else if (path === 'replicas') await this.#replicas.set(view.parent, view.serial, options);
    else await this.#chains.service.setHop(view.parent, view.serial, { path, ...options });
  }
}

function placeOf(view: ObjectView, name: string): LinkPlace {
  if (view.kind === 'chain') return { chain: view.serial, hop: undefined };
  if (view.kind === 'hop') return { chain: view.parent, hop: view.serial };
  throw notHere(`a link ${name}`);
}

function notHere(what: string): NfioError {
  return new NfioError('NotPermittedError', { message: `${what} means nothing here` });
}
