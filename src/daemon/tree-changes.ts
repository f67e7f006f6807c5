import type { Caller } from '../domain/event.ts';
import type { Ownership } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import { isResent, type Ticket } from '../fuse/ticket.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import type { OwnershipChange } from '../orchestrator/ownership-service.ts';
import { ownershipOf } from '../tree/attributes.ts';
import { type DirectorySpec, type FileSpec, portLinkIndex } from '../tree/file-spec.ts';
import { fileAt, topOf } from '../tree/files.ts';
import type { Misplaced } from '../tree/forwarded.ts';
import { isRemoved } from '../tree/special-directory.ts';
import type { Tree } from '../tree/tree.ts';
import type { ObjectView } from '../tree/views.ts';
import type { Did } from './audit.ts';
import { ChainChanges } from './chain-changes.ts';
import { type FileWrites, type Located, locate, notByCopying, recordedPath } from './file-writes.ts';

/** What changing requests on special files mean: finds the object, calls the use case. */
export class TreeChanges {
  readonly #orchestrator: Orchestrator;
  readonly #tree: Tree;
  readonly #chains: ChainChanges;
  readonly #writes: FileWrites;

  constructor(orchestrator: Orchestrator, tree: Tree, writes: FileWrites) {
    this.#writes = writes;
    this.#chains = new ChainChanges(orchestrator.chains, orchestrator.replicas);
    this.#orchestrator = orchestrator;
    this.#tree = tree;
  }

  /** @throws NotPermittedError (EPERM) where a directory means nothing, and what the use case throws. */
  async mkdir(
    ticket: Ticket,
    { name, mode, copying }: { readonly name: string; readonly mode: number; readonly copying: boolean },
  ): Promise<Located> {
    const { view, spec } = this.#directory(ticket.nodeid);
    const owner = { uid: ticket.uid, gid: ticket.gid, mode: mode & 0o7777 };
    const fixed = spec.children.get(name);
    if (fixed !== undefined) return this.#show(view, fixed);
    const before = isResent(ticket) ? this.#find(view, spec, name) : undefined;
    if (before !== undefined) return { view: before, spec: topOf(before) };
    switch (spec.listing) {
      case 'chain':
        await this.#orchestrator.chains.service.create(name, owner);
        break;
      case 'entry':
        await this.#chains.mkdir(view, name, owner);
        break;
      case 'type':
        await this.#orchestrator.types.create(name, owner);
        break;
      case 'network':
        await this.#orchestrator.networks.create(name, owner);
        break;
      case 'host':
        await this.#orchestrator.hosts.create(name, owner);
        break;
      case 'quota':
        await this.#orchestrator.quotas.create(name, owner);
        break;
      case 'vnf':
        await this.#orchestrator.vnfs.create(view.name, name, { owner, caller: ticket, bare: copying });
        break;
      case 'port':
        await this.#orchestrator.ports.create(view.serial, name, owner);
        break;
      default:
        throw new NfioError('NotPermittedError', { message: `a directory ${name} means nothing here` });
    }
    const made = this.#child(view, spec, name);
    return { view: made, spec: topOf(made) };
  }

  /** Resolves to the link itself, which may be in the hop that it made. */
  async symlink(ticket: Ticket, { name, target }: { readonly name: string; readonly target: string }): Promise<Located> {
    const { view, spec } = this.#directory(ticket.nodeid);
    if (spec.listing === 'link') return this.#show(...this.#portLink(view, name));
    const before = isResent(ticket) ? this.#linkMadeBefore(view, name, target) : undefined;
    const owner = { uid: ticket.uid, gid: ticket.gid, mode: 0o755 };
    const made = before ?? this.#tree.get(await this.#chains.symlink(view, name, { target, owner }));
    if (made === undefined) throw new NfioError('NotFoundError', { message: 'the link has been removed' });
    return { view: made, spec: topOf(made) };
  }

  /** What the server before this one made of the same request, and could not say so. */
  #linkMadeBefore(view: ObjectView, name: string, target: string): ObjectView | undefined {
    const entry = this.#tree.entries(view.serial).get(name);
    if (entry?.kind !== 'hop') return entry?.kind === 'symlink' && entry.target === target ? entry : undefined;
    return [...this.#tree.entries(entry.serial).values()].find((link) => link.kind === 'symlink' && link.target.endsWith(target));
  }

  async rmdir(ticket: Ticket, name: string): Promise<void> {
    const { view, spec } = this.#directory(ticket.nodeid);
    const fixed = spec.children.get(name);
    if (fixed !== undefined) return this.#hide(view, fixed);
    if (isResent(ticket) && this.#find(view, spec, name) === undefined) return;
    const child = this.#child(view, spec, name);
    switch (child.kind) {
      case 'chain':
        return await this.#orchestrator.chains.service.remove(child.serial);
      case 'hop':
      case 'symlink':
        return await this.#chains.rmdir(view, { name, entry: child });
      case 'type':
        return await this.#orchestrator.types.remove(name);
      case 'network':
        return await this.#orchestrator.networks.remove(name);
      case 'host':
        return await this.#orchestrator.hosts.remove(name);
      case 'quota':
        return await this.#orchestrator.quotas.remove(name);
      case 'vnf':
        return await this.#orchestrator.vnfs.remove(child.serial);
      case 'port':
        return await this.#orchestrator.ports.remove(view.serial, child.serial);
      default:
        throw notPermitted(name);
    }
  }

  async unlink(ticket: Ticket, name: string): Promise<void> {
    const { view, spec } = this.#directory(ticket.nodeid);
    const fixed = spec.children.get(name);
    if (fixed !== undefined) return this.#hide(view, fixed);
    if (spec.listing === 'link') return this.#hide(...this.#portLink(view, name));
    if (spec.listing !== 'entry') throw notPermitted(name);
    const entry = this.#tree.entries(view.serial).get(name);
    if (isResent(ticket) && entry === undefined) return;
    await this.#chains.unlink(view, { name, entry });
  }

  /** VNFs are renamed within their type, service chains, and what is in them. */
  async rename(ticket: Ticket, name: string, to: { readonly parent: number; readonly name: string }): Promise<void> {
    const { view, spec } = this.#directory(ticket.nodeid);
    if (spec.children.has(name)) throw notPermitted(name);
    if (isResent(ticket) && this.#find(view, spec, name) === undefined) return;
    const child = this.#child(view, spec, name);
    if (child.kind === 'hop' || child.kind === 'symlink') {
      const target = this.#directory(to.parent);
      if (target.spec.children.has(to.name)) throw notPermitted(to.name);
      return await this.#chains.rename({ view, name, entry: child }, { view: target.view, name: to.name });
    }
    if (to.parent !== ticket.nodeid || (child.kind !== 'chain' && child.kind !== 'vnf')) throw staysAsItIs(child);
    if (child.kind === 'chain') return await this.#orchestrator.chains.service.rename(child.serial, to.name);
    await this.#orchestrator.vnfs.rename(child.serial, to.name);
  }

  /** A file that was removed is made again. */
  recreate(ticket: Ticket, name: string): Located {
    const { view, spec } = this.#directory(ticket.nodeid);
    const fixed = spec.children.get(name);
    if (fixed === undefined) throw notPermitted(name);
    return this.#show(view, fixed);
  }

  async own(ticket: Ticket, change: OwnershipChange, did: Did): Promise<Located> {
    await this.#own(this.file(ticket.nodeid), change, did);
    return this.file(ticket.nodeid);
  }

  async #own({ view, spec }: Located, change: OwnershipChange, did: Did): Promise<void> {
    const { uid, gid, mode } = ownershipOf(view, spec);
    if (isSame({ uid, gid, mode: mode & 0o7777 }, change)) return;
    if (view.kind === 'root') throw notGivenAway(spec.name);
    await this.#orchestrator.ownership.change(
      { kind: view.kind, serial: view.serial, path: spec.path, current: { uid, gid, mode } },
      { uid: change.uid, gid: change.gid, mode: change.mode },
    );
    const to = [change.uid, change.gid].some((id) => id !== undefined);
    if (to) did('chown', `to ${change.uid ?? uid}:${change.gid ?? gid}`);
    else did('chmod', `to ${((change.mode ?? mode) & 0o7777).toString(8)}`);
  }

  /** A file is replaced by a copy of it, which has an owner too. */
  async restore(
    copy: {
      readonly nodeid: number;
      readonly data: Uint8Array | undefined;
      readonly owner: Ownership;
      readonly copying: boolean;
      readonly actor: Caller;
      readonly did: Did;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { view, spec } = this.file(copy.nodeid);
    const acts = spec.type === 'file' && ['action', 'command', 'probe'].includes(spec.write ?? '');
    if (acts && copy.data === undefined && !copy.copying) return await this.#writes.refuse(view, spec.path, notByCopying(spec.name));
    if (isRemoved(view, spec)) this.#show(view, spec);
    if (copy.data !== undefined)
      await this.#writes.write(copy.nodeid, {
        data: copy.data,
        before: undefined,
        signal,
        actor: copy.actor,
        again: false,
        restored: true,
        did: copy.did,
      });
    await this.#own({ view, spec }, copy.owner, copy.did);
  }

  /** The special file of a nodeid. @throws NotFoundError when its object has been removed. */
  file(nodeid: number): Located {
    return locate(this.#tree, nodeid);
  }

  #hide(view: ObjectView, spec: FileSpec): void {
    if (view.kind === 'chain' || view.kind === 'hop') this.#chains.hide(view, spec.path);
    else if (view.kind === 'network') this.#orchestrator.networks.hide(view.name, spec.path);
    else if (view.kind === 'host') this.#orchestrator.hosts.hide(view.name, spec.path);
    else if (view.kind === 'quota') this.#orchestrator.quotas.hide(view.name, spec.path);
    else if (view.kind === 'vnf' || view.kind === 'port') this.#orchestrator.vnfs.hide(...recordedPath(view, spec));
    else throw notPermitted(spec.name);
  }

  #show(view: ObjectView, spec: FileSpec): Located {
    if (view.kind === 'chain' || view.kind === 'hop') this.#chains.show(view, spec.path);
    // Of what is deployed nothing was removed: it is not there because it means nothing.
    else if (view.kind === 'vnf' && view.deployed) throw notPermitted(spec.name);
    else if (['vnf', 'port', 'network', 'host', 'quota'].includes(view.kind)) this.#orchestrator.hidden.show(...recordedPath(view, spec));
    else throw notPermitted(spec.name);
    return { view: this.#tree.get(view.serial) ?? view, spec };
  }

  /** The port that a link in a network's ports directory leads to. */
  #portLink(network: ObjectView, name: string): [ObjectView, FileSpec] {
    const port = this.#tree.networkPorts(network.serial).get(name);
    const link = port === undefined ? undefined : fileAt(port, portLinkIndex);
    if (port === undefined || link === undefined) throw new NfioError('NotFoundError', { message: `there is no ${name} here` });
    return [port, link];
  }

  #find(view: ObjectView, spec: DirectorySpec, name: string): ObjectView | undefined {
    const listing = spec.listing === 'link' ? undefined : spec.listing;
    return listing === undefined ? undefined : this.#tree.listed(view.serial, listing).get(name);
  }

  #child(view: ObjectView, spec: DirectorySpec, name: string): ObjectView {
    const child = this.#find(view, spec, name);
    if (child === undefined) throw new NfioError('NotFoundError', { message: `there is no ${name} here` });
    return child;
  }

  #directory(nodeid: number): { readonly view: ObjectView; readonly spec: DirectorySpec } {
    const { view, spec } = this.file(nodeid);
    if (spec.type !== 'directory') throw new NfioError('NotPermittedError', { message: 'not a directory', errno: 'ENOTDIR' });
    return { view, spec };
  }
}

function notPermitted(name: string): NfioError {
  return new NfioError('NotPermittedError', { message: `${name} belongs to the tree: it cannot be removed, renamed or given away` });
}

/** Directories whose contents can belong to others. */
const shareable: ReadonlySet<string> = new Set(['networks', 'chns', 'nf-types']);

function notGivenAway(name: string): NfioError {
  if (!shareable.has(name)) return notPermitted(name);
  return new NfioError('NotPermittedError', {
    message: `${name} itself stays root's, and what is in it can belong to others. Run: mkdir ${name}/NAME; chown -R USER ${name}/NAME`,
  });
}

const places = {
  file: 'files of your own go into config/ of a VNF',
  link: 'links are made in service chains, chns/NAME, and in config/ of a VNF',
  'hard link': 'they are made in config/ of a VNF',
  node: 'devices, FIFOs and sockets are no part of this tree',
} as const;

/** Why something cannot be made where it was wanted, and where it can. */
export function misplaced({ name, made }: { readonly name: string; readonly made: Misplaced }): NfioError {
  const what = made === 'node' ? 'special file' : made;
  return new NfioError('NotPermittedError', { message: `a ${what} ${name} means nothing here: ${places[made]}` });
}

/** Why an object cannot be called as wanted, or not be where it is wanted, and what to do instead. */
const reasons: Readonly<Partial<Record<ObjectView['kind'], string>>> = {
  type: 'a type has the name of its module. Load another one: mkdir nf-types/NAME',
  vnf: 'a VNF stays in its type. Make one in the other type, and copy what is in config/',
  port: 'a port keeps its name and its VNF. Make another one with mkdir, then rmdir this one',
  network: "a network keeps its name. Make another one with mkdir, write its name to the ports' network files, then rmdir this one",
  host: "a host keeps its name. Make another one with mkdir, write its name to the VNFs' machine/ip, then rmdir this one",
  quota: 'an entry has the name of its user. Make another one with mkdir, then rmdir this one',
  chain: 'a service chain stays in chns/',
};

function staysAsItIs({ kind, name }: ObjectView): NfioError {
  return new NfioError('NotPermittedError', { message: `${name} cannot be moved there: ${reasons[kind] ?? 'it belongs to the tree'}` });
}

/** True for a chown or chmod to what is there already: copies say so of every file, also of those that are nobody's to give away. */
function isSame(now: Ownership, { uid = now.uid, gid = now.gid, mode = now.mode }: OwnershipChange): boolean {
  return uid === now.uid && gid === now.gid && (mode & 0o7777) === now.mode;
}
