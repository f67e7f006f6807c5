import type { Middlebox, ModuleFile } from '../domain/middlebox.ts';
import { NfioError } from '../errors/index.ts';
import type { Ticket } from '../fuse/ticket.ts';
import { guestAccess } from '../orchestrator/guest-spec.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import { readCounter } from '../tree/counters.ts';
import { fileAt } from '../tree/files.ts';
import type { Tree } from '../tree/tree.ts';
import type { PortView, VnfView } from '../tree/views.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';

/** The file of a module at a path, if it declares one. */
export function moduleFile(middlebox: Middlebox, path: string): ModuleFile | undefined {
  return middlebox.files?.find((file) => file.path === path);
}

/** How long what a size was told of is worth showing, milliseconds. */
const promiseMs = 1000;

/** Files whose content has to be asked for: of a guest's rule set, a remote engine, a module. */
export class AskedFiles {
  readonly #orchestrator: Orchestrator;
  readonly #tree: Tree;
  /** What an open file showed at offset 0, so that the reads after it see the same. */
  readonly #shown = new Map<number, { readonly content: Uint8Array; read: boolean; readonly sinceMs: number }>();

  constructor(orchestrator: Orchestrator, tree: Tree) {
    this.#orchestrator = orchestrator;
    this.#tree = tree;
  }

  async read(
    ticket: Ticket,
    part: { readonly fh: number; readonly offset: number; readonly size: number },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const known = this.#shown.get(part.fh);
    const promised = known !== undefined && !known.read && performance.now() - known.sinceMs < promiseMs;
    const content = known !== undefined && (part.offset > 0 || promised) ? known.content : await this.#show(ticket, part.fh, signal);
    const shown = this.#shown.get(part.fh);
    if (shown !== undefined) shown.read = true;
    return content.subarray(Math.min(part.offset, content.length), Math.min(part.offset + part.size, content.length));
  }

  /** The size of an open file: that of what it showed, or of what it will show to who reads it now. */
  async size(ticket: Ticket, fh: number, signal: AbortSignal): Promise<number | undefined> {
    const known = this.#shown.get(fh);
    if (known !== undefined && (known.read || performance.now() - known.sinceMs < promiseMs)) return known.content.length;
    // What cannot be told now is said by the read that follows.
    return (await this.#show(ticket, fh, signal).catch(() => undefined))?.length;
  }

  async #show(ticket: Ticket, fh: number, signal: AbortSignal): Promise<Uint8Array> {
    const content = await this.#ask(ticket.nodeid, signal);
    this.#shown.set(fh, { content, read: false, sinceMs: performance.now() });
    return content;
  }

  release(fh: number): void {
    this.#shown.delete(fh);
  }

  async #ask(nodeid: number, signal: AbortSignal): Promise<Uint8Array> {
    const view = this.#tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec?.type !== 'file' || (view.kind !== 'vnf' && view.kind !== 'port')) {
      throw new NfioError('NotFoundError', { message: 'the object has been removed' });
    }
    if (spec.content === 'module') return await this.#askModule(view.serial, spec.path, signal);
    const value = await this.#count(view, spec.name, signal);
    return Buffer.from(value === undefined ? '' : `${value}\n`);
  }

  async #count(view: VnfView | PortView, counter: string, signal: AbortSignal): Promise<number | undefined> {
    const { model } = this.#orchestrator;
    const vnf = model.vnf(view.kind === 'vnf' ? view.serial : view.parent);
    if (view.counters?.kind === 'remote') return (await model.parts.driver.counters(model.ref(vnf), signal))[counter];
    const source = view.counters;
    if (source === undefined) return undefined;
    const atInterfaces = readCounter(source, counter);
    const language = model.middlebox(vnf.type).configuration?.language;
    if (atInterfaces === undefined || language?.drops === undefined) return atInterfaces;
    return atInterfaces + (await language.drops(guestAccess(model, vnf, signal)));
  }

  async #askModule(serial: number, path: string, signal: AbortSignal): Promise<Uint8Array> {
    const { model } = this.#orchestrator;
    const vnf = model.vnf(serial);
    const middlebox = model.middlebox(vnf.type);
    const instance = model.instance(vnf, signal);
    const file = moduleFile(middlebox, path);
    const content = file?.read === undefined ? await middlebox.hooks?.read?.(instance, path) : await file.read(instance);
    return typeof content === 'string' ? Buffer.from(content) : (content ?? new Uint8Array());
  }
}
