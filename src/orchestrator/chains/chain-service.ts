import { type LinkDirectory, linksIn, withHop, withHopCutOut, withLink, withoutHop, withoutLink } from '../../domain/chains/chain-edits.ts';
import { ChainReader, nextLink, startLink } from '../../domain/chains/chain-path.ts';
import { checkName, isLinkName } from '../../domain/names.ts';
import { noContents } from '../../domain/ports/state.ts';
import type { ChainRecord, HopRecord, LinkRecord, Ownership } from '../../domain/records.ts';
import { chainSettings, hopSettings, parseSetting } from '../../domain/settings.ts';
import { NfioError } from '../../errors/index.ts';
import { Lane } from '../lane.ts';
import type { Model } from '../model.ts';
import { requireRoom } from '../room.ts';
import type { ChainEditor } from './chain-editor.ts';
import { chainSurroundings } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';

/** A directory that holds links: of a service chain, by serial, and of one of its hops if that is given. */
export interface LinkPlace extends LinkDirectory {
  readonly chain: number;
}

/** How to make a link. */
export interface NewLink {
  /** Its text. */
  readonly target: string;
  readonly owner: Ownership;
  /** Its instance was made by `replicas`, which may remove it again. */
  readonly cloned?: boolean;
}

/** Names that mean something else in the directory of a service chain. */
const reservedHops: ReadonlySet<string> = new Set([
  ...['action', 'status', 'error', 'ingress', 'egress', 'match', 'priority', 'path', 'policy', 'stats', 'trace', 'verify', 'latency'],
  startLink,
]);

/** Makes, changes, renames and removes service chains, their hops and their links. */
export class ChainService {
  readonly #model: Model;
  readonly #editor: ChainEditor;
  readonly #runtimes: ChainRuntimes;
  /** Names are taken one at a time. */
  readonly #lane = new Lane();

  constructor(model: Model, editor: ChainEditor, runtimes: ChainRuntimes) {
    this.#model = model;
    this.#editor = editor;
    this.#runtimes = runtimes;
  }

  /** mkdir chns/NAME */
  create(name: string, owner: Ownership): Promise<ChainRecord> {
    checkName('service chain', name);
    return this.#lane.run(async () => {
      this.#checkFree(name);
      const record: ChainRecord = {
        kind: 'chain',
        ...this.#model.newObject(owner),
        name,
        hops: [],
        links: [],
        applied: undefined,
        settled: true,
      };
      await this.#model.parts.store.create(record, noContents);
      this.#model.inventory.put(record);
      this.#model.publishChain(record.serial);
      return record;
    });
  }

  /** rmdir chns/NAME. @throws BusyError while it is active. */
  remove(serial: number): Promise<void> {
    return this.#editor.alone(serial, 'rmdir', async (chain) => {
      this.#checkInactive(chain, 'removed');
      await this.#model.parts.store.remove(chain);
      this.#model.inventory.remove(chain);
      this.#runtimes.forget(serial);
      this.#model.withdraw(serial);
    });
  }

  /** mv chns/NAME. @throws BusyError while it is active: its ports have its name. */
  rename(serial: number, name: string): Promise<void> {
    checkName('service chain', name);
    return this.#lane.run(() =>
      this.#editor.alone(serial, 'mv', async (chain) => {
        this.#checkInactive(chain, 'renamed');
        this.#checkFree(name);
        const renamed = { ...chain, name };
        await this.#model.parts.store.rename(chain, renamed);
        this.#model.inventory.put(renamed);
        this.#model.publishChain(serial);
      }),
    );
  }

  /** mkdir chns/CHAIN/HOP: a hop without an instance yet. */
  async makeHop(chain: number, name: string, owner: Ownership): Promise<HopRecord> {
    const hop: HopRecord = { ...this.#model.newObject(owner), name, links: [] };
    await this.#editor.edit(chain, name, (record) => {
      checkHopName(record, name);
      requireRoom(this.#model, owner.uid, record, { hops: 1 });
      return withHop(record, hop);
    });
    return hop;
  }

  /**
   * ln -s TARGET chns/CHAIN/NAME: a link called `start` is one. Any other that can lead to an instance makes the hop NAME, with the link in it, which is
   * called as the instance is. One that cannot is a link about to be renamed, and so is one with a name that no hop can have.
   */
  async symlink(place: LinkPlace, name: string, link: NewLink): Promise<LinkRecord> {
    const settings: Record<string, string> = link.cloned === true ? { cloned: 'yes' } : {};
    const made: LinkRecord = { ...this.#model.newObject({ ...link.owner, mode: 0o777 }), name, target: link.target, settings };
    if (place.hop !== undefined || name === startLink || !isLinkName(name) || !link.target.includes('/')) {
      await this.#editor.edit(place.chain, name, (chain) => {
        this.#checkLinkName(chain, place, name);
        requireRoom(this.#model, link.owner.uid, chain, { hops: 1 });
        if (name === nextLink && place.hop !== undefined) this.#runtimes.of(chain.serial).lastNext.delete(place.hop);
        return withLink(chain, place, made);
      });
      return made;
    }
    const inHop = linkInHop(made);
    await this.#editor.edit(place.chain, name, (chain) => {
      checkHopName(chain, name);
      requireRoom(this.#model, link.owner.uid, chain, { hops: 2 });
      return withHop(chain, { ...this.#model.newObject(link.owner), name, links: [inHop] });
    });
    return inHop;
  }

  /** rm of a link. */
  async unlink(place: LinkPlace, name: string): Promise<void> {
    await this.#editor.edit(
      place.chain,
      `rm ${name}`,
      (chain) => {
        const link = linksIn(chain, place).find((each) => each.name === name);
        if (link === undefined) throw new NfioError('NotFoundError', { message: `there is no ${name} here` });
        if (name === nextLink && place.hop !== undefined) this.#runtimes.of(chain.serial).lastNext.set(place.hop, link.target);
        return withoutLink(chain, place, name);
      },
      { takesAway: true },
    );
  }

  /** rmdir of a hop, with all in it. In an active service chain the hops around it are joined. */
  async removeHop(chain: number, hop: number): Promise<void> {
    const { lastNext, hidden } = this.#runtimes.of(chain);
    await this.#editor.edit(
      chain,
      'rmdir',
      (record) => {
        const found = hopOf(record, hop);
        if (record.applied === undefined) return withoutHop(record, hop);
        const reader = new ChainReader(record, chainSurroundings(this.#model));
        return withHopCutOut(record, found, {
          next: found.links.find(({ name }) => name === nextLink)?.target ?? lastNext.get(hop),
          leadsTo: (link, directory) =>
            reader.leadsTo(
              link,
              record.hops.find(({ serial }) => serial === directory.hop),
              found,
            ),
        });
      },
      { takesAway: true },
    );
    lastNext.delete(hop);
    hidden.delete(hop);
  }

  /** mv of a hop within its service chain. */
  async renameHop(chain: number, hop: number, name: string): Promise<void> {
    await this.#editor.edit(chain, `mv ${name}`, (record) => {
      const found = hopOf(record, hop);
      if (found.name === name) return record;
      checkHopName(record, name);
      return withHop(record, { ...found, name });
    });
  }

  /** mv of a link, over another one too: how `ln -sfn` replaces one. */
  async renameLink(from: LinkPlace & { readonly name: string }, to: LinkPlace & { readonly name: string }): Promise<void> {
    if (from.chain !== to.chain)
      throw new NfioError('NotPermittedError', { errno: 'EXDEV', message: 'a link belongs to its service chain' });
    await this.#editor.edit(from.chain, `mv ${to.name}`, (chain) => {
      const link = linksIn(chain, from).find(({ name }) => name === from.name);
      if (link === undefined) throw new NfioError('NotFoundError', { message: `there is no ${from.name} here` });
      const rest = withoutLink(chain, from, from.name);
      if (to.hop === undefined && isLinkName(to.name) && to.name !== startLink) {
        checkHopName(chain, to.name);
        const { uid, gid } = link;
        return withHop(rest, { ...this.#model.newObject({ uid, gid, mode: 0o755 }), name: to.name, links: [linkInHop(link)] });
      }
      if (reservedIn(to).has(to.name)) throw notPermitted(to.name);
      return withLink(rest, to, { ...link, name: to.name });
    });
  }

  /** Sets a value of a service chain. */
  async set(serial: number, path: string, options: { readonly text: string; readonly signal: AbortSignal }): Promise<void> {
    const { network } = this.#model.parts;
    await this.#editor.edit(
      serial,
      path,
      async (chain) => {
        const value = parseSetting(chainSettings, path, options.text);
        if (path === 'match') await network.checkMatch(value, options.signal);
        return { ...chain, settings: { ...chain.settings, [path]: value } };
      },
      { whole: true, signal: options.signal },
    );
  }

  /** Sets a value of a hop. */
  async setHop(
    chain: number,
    hop: number,
    change: { readonly path: string; readonly text: string; readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#editor.edit(
      chain,
      change.path,
      (record) => {
        const found = hopOf(record, hop);
        const value = parseSetting(hopSettings, change.path, change.text);
        return withHop(record, { ...found, settings: { ...found.settings, [change.path]: value } });
      },
      { whole: true, signal: change.signal },
    );
  }

  /** unlink or rmdir of a special file of a hop, or of a service chain that is not active: on the way to removing the whole. */
  hide(place: LinkPlace, path: string): void {
    const chain = this.#chain(place.chain);
    if (place.hop === undefined) this.#checkInactive(chain, 'taken apart');
    const { hidden } = this.#runtimes.of(place.chain);
    const serial = place.hop ?? place.chain;
    hidden.set(serial, new Set([...(hidden.get(serial) ?? []), path]));
    this.#model.publishChain(place.chain);
  }

  /** create or mkdir of a special file that was removed: tools that restore do so. */
  show(place: LinkPlace, path: string): void {
    const shown = this.#runtimes
      .of(place.chain)
      .hidden.get(place.hop ?? place.chain)
      ?.delete(path);
    if (shown === true) this.#model.publishChain(place.chain);
  }

  #chain(serial: number): ChainRecord {
    const chain = this.#model.inventory.chain(serial);
    if (chain === undefined) throw new NfioError('NotFoundError', { message: 'the service chain has been removed' });
    return chain;
  }

  #checkFree(name: string): void {
    if (this.#model.inventory.chainNamed(name) === undefined) return;
    throw new NfioError('BusyError', { message: `service chain ${name} exists already`, errno: 'EEXIST' });
  }

  #checkInactive(chain: ChainRecord, change: string): void {
    if (chain.applied === undefined) return;
    throw new NfioError('BusyError', {
      message: `chns/${chain.name} is active and cannot be ${change}. Run: echo stop > chns/${chain.name}/action`,
    });
  }

  #checkLinkName(chain: ChainRecord, place: LinkPlace, name: string): void {
    if (reservedIn(place).has(name) && !(place.hop === undefined && name === startLink)) throw notPermitted(name);
    const taken = linksIn(chain, place).some((link) => link.name === name) || (place.hop === undefined && hasHop(chain, name));
    if (taken) throw new NfioError('BusyError', { errno: 'EEXIST', message: `${name} exists already` });
  }
}

/** Names of files that the directory of a hop has. */
const reservedLinks: ReadonlySet<string> = new Set(['mode', 'replicas', 'stats']);

function reservedIn(place: LinkPlace): ReadonlySet<string> {
  if (place.hop !== undefined) return reservedLinks;
  return new Set([...reservedHops].filter((name) => name !== startLink));
}

/** A link of the hop that it made: called as the instance is. Its text was written for the directory above. */
function linkInHop(link: LinkRecord): LinkRecord {
  const words = link.target.split('/').filter((word) => word !== '' && word !== '.');
  const target = link.target.startsWith('/') ? link.target : `../${link.target}`;
  const last = words.at(-1) ?? '';
  return { ...link, name: isLinkName(last) && !reservedLinks.has(last) && last !== nextLink ? last : 'instance', target };
}

function checkHopName(chain: ChainRecord, name: string): void {
  checkName('hop', name);
  if (reservedHops.has(name)) throw notPermitted(name);
  const taken = hasHop(chain, name) || chain.links.some((link) => link.name === name);
  if (taken) throw new NfioError('BusyError', { errno: 'EEXIST', message: `hop ${name} exists already` });
}

function hasHop(chain: ChainRecord, name: string): boolean {
  return chain.hops.some((hop) => hop.name === name);
}

function hopOf(chain: ChainRecord, serial: number): HopRecord {
  const hop = chain.hops.find((each) => each.serial === serial);
  if (hop === undefined) throw new NfioError('NotFoundError', { message: 'the hop has been removed' });
  return hop;
}

function notPermitted(name: string): NfioError {
  return new NfioError('NotPermittedError', { message: `${name} means something else here: choose another name` });
}
