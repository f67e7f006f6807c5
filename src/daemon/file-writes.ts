import type { Actor } from '../domain/authority.ts';
import type { Caller } from '../domain/event.ts';
import { isVerbList } from '../domain/lifecycle.ts';
import { textOf } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import { hookInstance } from '../orchestrator/hook-instance.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import { requireMay, requireNetworks } from '../orchestrator/require.ts';
import { busyWith } from '../orchestrator/vnf-actions.ts';
import type { FileSpec, RegularSpec } from '../tree/file-spec.ts';
import { fileAt } from '../tree/files.ts';
import type { Tree } from '../tree/tree.ts';
import type { ObjectView } from '../tree/views.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';
import { moduleFile } from './asked-files.ts';
import type { Did } from './audit.ts';
import { ChainChanges } from './chain-changes.ts';

/** A special file: its object, and which of the object's files. */
export interface Located {
  readonly view: ObjectView;
  readonly spec: FileSpec;
}

/** Finds the special file of a nodeid. @throws NotFoundError when its object has been removed. */
export function locate(tree: Tree, nodeid: number): Located {
  const view = tree.get(serialOf(nodeid));
  const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
  if (view === undefined || spec === undefined) throw new NfioError('NotFoundError', { message: 'the object has been removed' });
  return { view, spec };
}

/** A write to a special file. */
export interface WriteOptions {
  readonly data: Uint8Array;
  /** What a value goes back to when it is refused: earlier writes through the same descriptor changed it. */
  readonly before: string | undefined;
  readonly signal: AbortSignal;
  /** The request came before, to a server that died. */
  readonly again: boolean;
  /** Who writes. */
  readonly actor: Caller;
  /** A copy is written. */
  readonly restored: boolean;
  /** Is told what was done. */
  readonly did: Did;
}

/** What writing to a special file means: an action, a value, a probe, or what a module makes of it. */
export class FileWrites {
  readonly #orchestrator: Orchestrator;
  readonly #tree: Tree;
  readonly #chains: ChainChanges;

  constructor(orchestrator: Orchestrator, tree: Tree) {
    this.#chains = new ChainChanges(orchestrator.chains, orchestrator.replicas);
    this.#orchestrator = orchestrator;
    this.#tree = tree;
  }

  /** A write to a file that takes one. */
  async write(nodeid: number, options: WriteOptions): Promise<void> {
    const { view, spec } = locate(this.#tree, nodeid);
    if (!options.restored) return await this.#write(view, spec, options);
    const [serial, path] = recordedPath(view, spec);
    await this.#orchestrator.model.keepingError(serial, path, () => this.#write(view, spec, options));
  }

  /** An action was wanted while another is under way: throws, and `error` tells. */
  async refused(nodeid: number): Promise<void> {
    const view = this.#tree.get(serialOf(nodeid));
    if (view === undefined) return;
    const busy = this.#orchestrator.model.runtime(view.serial).busy ?? 'another action';
    await this.refuse(view, 'action', busyWith(busy));
  }

  /** Throws, and has the object's `error` tell. */
  async refuse(view: ObjectView, what: string, error: NfioError): Promise<never> {
    const { model } = this.#orchestrator;
    const refuse = (): Promise<never> => Promise.reject(error);
    const object = this.#recordOf(view);
    return await (object === undefined ? model.recordVnf(view.serial, what, refuse) : model.recordObject(object, what, refuse));
  }

  async #write(view: ObjectView, spec: FileSpec, options: WriteOptions): Promise<void> {
    const { actor, data, signal, restored, did } = options;
    const { write } = spec as RegularSpec;
    if (write === 'module' && view.kind === 'vnf') {
      await this.#writeModule(view.serial, spec.path, options);
      did('write');
      return;
    }
    const text = await this.#text(view, spec, data);
    if (write === 'action') await this.#act(view, text, options);
    else if (write === 'probe') {
      await this.#orchestrator.chains.probes.write(view.serial, spec.path, { text, signal });
      did('probe', text.trim());
    } else {
      await this.#setOrReset(view, spec, { text, before: options.before, actor, signal, restored });
      did('set', text.trim() === '' ? 'to nothing' : `to ${text.trim()}`);
    }
  }

  /** One verb a line, one after another; the first that fails is the last. */
  async #act(view: ObjectView, text: string, options: WriteOptions): Promise<void> {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    if (options.restored) return await this.#copied(view, text);
    for (const line of lines.length === 0 ? [text] : lines) {
      const tooFast = this.#orchestrator.pace.take(options.actor.uid);
      if (tooFast !== undefined) await this.refuse(view, 'action', tooFast);
      const acted = view.kind === 'chain' ? await this.#actOnChain(view, line, options) : await this.#actOnVnf(view, line, options);
      if (acted) options.did(line.trim());
    }
  }

  async #actOnChain(view: ObjectView, line: string, options: WriteOptions): Promise<boolean> {
    await this.#orchestrator.chains.actions.act(view.serial, line, options);
    return true;
  }

  async #actOnVnf(view: ObjectView, line: string, options: WriteOptions): Promise<boolean> {
    const { model, actions } = this.#orchestrator;
    if (!['stop', 'destroy'].includes(line.trim()))
      await model.recordVnf(view.serial, 'action', async () => requireNetworks(model, options.actor, model.vnf(view.serial)));
    return await actions.act(view.serial, line, options);
  }

  /** A copy of an instance brings along what reading `action` gave; a verb has to be written. */
  async #copied(view: ObjectView, text: string): Promise<void> {
    const { model } = this.#orchestrator;
    if (view.kind !== 'vnf') return;
    if (isVerbList(text, model.moduleActions(model.vnf(view.serial).type))) {
      if (view.deployed)
        throw new NfioError('NotPermittedError', { message: 'a copy is not written over a deployed VNF', errno: 'EACCES' });
      return;
    }
    await this.refuse(view, 'action', notByCopying('action'));
  }

  /** Sets a value. When all that was written is refused, the value is what it was before the first part of it. */
  async #setOrReset(
    view: ObjectView,
    spec: FileSpec,
    {
      before,
      ...options
    }: {
      readonly text: string;
      readonly before: string | undefined;
      readonly actor: Caller;
      readonly signal: AbortSignal;
      readonly restored: boolean;
    },
  ): Promise<void> {
    try {
      await this.#set(view, spec, options);
    } catch (error) {
      const now = this.#tree.get(view.serial)?.texts[spec.path] ?? '';
      if (before !== undefined && now !== before) {
        const [serial] = recordedPath(view, spec);
        await this.#orchestrator.model.takingBack(serial, () => this.#set(view, spec, { ...options, text: before }));
      }
      throw error;
    }
  }

  /** What was written; bytes that are no text end up in `error` as any other bad value does. */
  async #text(view: ObjectView, spec: FileSpec, data: Uint8Array): Promise<string> {
    const { model } = this.#orchestrator;
    const object = this.#recordOf(view);
    const decode = async (): Promise<string> => textOf(data);
    if (object !== undefined) return await model.recordObject(object, spec.path, decode);
    const serial = view.kind === 'port' ? view.parent : view.serial;
    return await model.recordVnf(serial, spec.path, decode);
  }

  /** The record whose `error` tells of a failed write to a file of an object; undefined for those of VNFs. */
  #recordOf(view: ObjectView): Parameters<Orchestrator['model']['recordObject']>[0] | undefined {
    const { inventory } = this.#orchestrator.model;
    switch (view.kind) {
      case 'network':
        return inventory.network(view.name);
      case 'host':
        return inventory.host(view.name);
      case 'quota':
        return inventory.quota(view.name);
      case 'chain':
        return inventory.chain(view.serial);
      case 'hop':
        return inventory.chain(view.parent);
      default:
        return undefined;
    }
  }

  async #set(
    view: ObjectView,
    spec: FileSpec,
    options: { readonly text: string; readonly actor: Caller; readonly signal: AbortSignal; readonly restored: boolean },
  ): Promise<void> {
    switch (view.kind) {
      case 'vnf':
        return await this.#orchestrator.vnfs.set(view.serial, spec.path, options);
      case 'port':
        return await this.#orchestrator.ports.set(view.serial, spec.path, options);
      case 'network':
        return await this.#orchestrator.networks.set(view.name, spec.path, options);
      case 'chain':
      case 'hop':
        return await this.#chains.set(view, spec.path, options);
      case 'host':
        return await this.#setHost(view.name, spec.path, options);
      case 'quota':
        return await this.#orchestrator.quotas.set(view.name, spec.path, options);
      default:
        throw new NfioError('NotPermittedError', { message: `${spec.path} cannot be written`, errno: 'EACCES' });
    }
  }

  async #setHost(name: string, path: string, { text, actor }: { readonly text: string; readonly actor: Actor }): Promise<void> {
    const { model, hosts } = this.#orchestrator;
    const host = model.inventory.host(name);
    if (host !== undefined) await model.recordObject(host, path, async () => requireMay(actor, 'direct', host));
    await hosts.set(name, path, text);
  }

  async #writeModule(serial: number, path: string, options: { readonly data: Uint8Array; readonly signal: AbortSignal }): Promise<void> {
    const { model } = this.#orchestrator;
    const vnf = model.vnf(serial);
    const middlebox = model.middlebox(vnf.type);
    const file = moduleFile(middlebox, path);
    // It reads as empty, and so a copy of it is.
    if (file?.mode === 0o200 && options.data.length === 0) return;
    const instance = hookInstance(model, vnf, options.signal);
    await model.recordVnf(serial, path, async () => {
      try {
        if (file?.write !== undefined) await file.write(instance, textOf(options.data));
        else await middlebox.hooks?.write?.(instance, path, options.data);
      } catch (cause) {
        if (!options.signal.aborted) throw cause;
        throw new NfioError('CancelledError', { message: 'cancelled by its caller; what the module had done by then stays done', cause });
      }
    });
    await model.refreshFiles(serial);
  }
}

/** Files that act are written to, not replaced: what a copy holds is taken for part of a copied instance. */
export function notByCopying(name: string): NfioError {
  const message = `a file that is copied or renamed over ${name} does nothing. Run: echo VERB > ${name}, or: cat FILE > ${name}`;
  return new NfioError('UnsupportedError', { message });
}

/** The object whose record and `error` a file belongs to, and the file's path below it: ports are kept with their VNF, hops with their service chain. */
export function recordedPath(view: ObjectView, spec: FileSpec): [number, string] {
  if (view.kind === 'port') return [view.parent, `ports/${view.name}/${spec.path}`];
  return [view.kind === 'hop' ? view.parent : view.serial, spec.path];
}
