import { setTimeout } from 'node:timers/promises';
import type { Middlebox, ModuleFile } from '../domain/middlebox.ts';
import { NfioError } from '../errors/index.ts';
import type { Ticket } from '../fuse/ticket.ts';
import { guestAccess } from '../orchestrator/guest-spec.ts';
import { hookInstance } from '../orchestrator/hook-instance.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import { readCounter } from '../tree/counters.ts';
import { fileAt } from '../tree/files.ts';
import { objectPath } from '../tree/object-path.ts';
import type { Tree } from '../tree/tree.ts';
import type { ChainView, HopView, ObjectView, PortView, VnfView } from '../tree/views.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';

/** Nothing can be run in a guest that is not deployed, does not run, or is paused. */
const asleep: ReadonlySet<string> = new Set(['VNFNotFoundError', 'VNFNotRunningError']);

/** The file of a module at a path, if it declares one. */
export function moduleFile(middlebox: Middlebox, path: string): ModuleFile | undefined {
  return middlebox.files?.find((file) => file.path === path);
}

/** How long what a size was told of is worth showing, milliseconds. */
const promiseMs = 1000;
/** How long a stat(2) waits for a size, and an fstat(2): who has opened the file is about to read it, and a copy that was told a wrong size fails. Milliseconds. */
const sizeMs = { closed: 500, open: 5000 };

/** What an open file shows. */
interface Shown {
  readonly content: Promise<Uint8Array>;
  /** When it was there; asking takes some hypervisors a second. */
  sinceMs: number;
  /** Reads from offset 0 after this ask anew. */
  read: boolean;
}

/** Files whose content has to be asked for: of a guest's rule set, a remote engine, a module. */
export class AskedFiles {
  readonly #orchestrator: Orchestrator;
  readonly #tree: Tree;
  /** What an open file showed at offset 0, so that the reads after it see the same; removed when it is closed. */
  readonly #shown = new Map<number, Shown>();

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
    const keeps = known !== undefined && (part.offset > 0 || (!known.read && performance.now() - known.sinceMs < promiseMs));
    const shown = keeps ? known : this.#show(ticket, part.fh, signal);
    shown.read = true;
    const content = await shown.content;
    return content.subarray(Math.min(part.offset, content.length), Math.min(part.offset + part.size, content.length));
  }

  /**
   * The size of a file, of an open one that of what it showed, or of what it will show to who reads it now; undefined when that cannot be told soon. The read that
   * follows waits, or says why not.
   */
  async size(ticket: Ticket, fh: number | undefined, signal: AbortSignal): Promise<number | undefined> {
    const content = fh === undefined ? this.#ask(ticket.nodeid, signal) : this.#promised(ticket, fh, signal);
    const soon = setTimeout(fh === undefined ? sizeMs.closed : sizeMs.open, undefined, { ref: false });
    return (await Promise.race([content, soon]).catch(() => undefined))?.length;
  }

  #promised(ticket: Ticket, fh: number, signal: AbortSignal): Promise<Uint8Array> {
    const known = this.#shown.get(fh);
    const keeps = known !== undefined && (known.read || performance.now() - known.sinceMs < promiseMs);
    return (keeps ? known : this.#show(ticket, fh, signal)).content;
  }

  #show(ticket: Ticket, fh: number, signal: AbortSignal): Shown {
    const content = this.#ask(ticket.nodeid, signal);
    const shown = { content, sinceMs: Number.POSITIVE_INFINITY, read: false };
    void content
      .catch(() => undefined)
      .then(() => {
        shown.sinceMs = performance.now();
      });
    this.#shown.set(fh, shown);
    return shown;
  }

  release(fh: number): void {
    this.#shown.delete(fh);
  }

  async #ask(nodeid: number, signal: AbortSignal): Promise<Uint8Array> {
    const view = this.#tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec?.type !== 'file') throw new NfioError('NotFoundError', { message: 'the object has been removed' });
    if (view.kind === 'host') return await this.#report(view.name, spec.path, signal);
    if (view.kind === 'quota') return flatKeyed(this.#orchestrator.quotas.use(view.name) ?? {});
    if (view.kind === 'chain' || view.kind === 'hop') return await this.#askChain(view, spec.name, signal);
    if (spec.content === 'module')
      return await this.#telling({ view, path: spec.path, signal }, () => this.#askModule(view.serial, spec.path, signal));
    if (view.kind === 'port' && spec.content === 'text') return await this.#askPort(view, spec.path);
    const value = await this.#count(view, spec.name, signal);
    return Buffer.from(value === undefined ? '' : `${value}\n`);
  }

  /** As it is in its guest, or else as it is wanted. */
  async #askPort(view: PortView, path: string): Promise<Uint8Array> {
    const { model, askedPorts } = this.#orchestrator;
    const state = await askedPorts.ask(model.vnf(view.parent), view.serial);
    return Buffer.from(path === 'state' ? `${state.up ? 'up' : 'down'}\n` : `${state.mtu}\n`);
  }

  async #report(host: string, path: string, signal: AbortSignal): Promise<Uint8Array> {
    const report = await this.#orchestrator.hosts.report(host, signal);
    return flatKeyed((path === 'capacity' ? report?.capacity : report?.load) ?? {});
  }

  async #askChain(view: ChainView | HopView, name: string, signal: AbortSignal): Promise<Uint8Array> {
    const { stats, probes } = this.#orchestrator.chains;
    if (name === 'trace') return Buffer.from(await probes.trace(view.serial, signal));
    const [chain, hop] = view.kind === 'chain' ? [view.serial, undefined] : [view.parent, view.serial];
    const value = await stats.read(chain, hop, name, signal);
    return Buffer.from(value === undefined ? '' : `${value}\n`);
  }

  async #count(view: ObjectView, counter: string, signal: AbortSignal): Promise<number | undefined> {
    if (view.kind === 'network') return await this.#orchestrator.networks.counter(view.name, counter, signal);
    if (view.kind === 'port' && counter === 'spoofed') return await this.#orchestrator.ports.spoofed(view.serial);
    return view.kind === 'vnf' || view.kind === 'port' ? await this.#countGuest(view, counter, signal) : undefined;
  }

  async #countGuest(view: VnfView | PortView, counter: string, signal: AbortSignal): Promise<number | undefined> {
    const { model } = this.#orchestrator;
    const vnf = model.vnf(view.kind === 'vnf' ? view.serial : view.parent);
    const source = view.counters;
    if (source === undefined) return undefined;
    const remote = source.kind === 'remote';
    const atInterfaces = remote ? (await model.driverOf(vnf).counters(model.ref(vnf), signal))[counter] : readCounter(source, counter);
    const language = model.middlebox(vnf.type).configuration?.language;
    if (atInterfaces === undefined || counter !== 'pkt_drops' || view.kind !== 'vnf' || language?.drops === undefined) return atInterfaces;
    const { drops } = language;
    const byRules = await this.#telling({ view, path: 'stats/pkt_drops', signal }, () =>
      drops.call(language, guestAccess(model, vnf, signal)).catch(noneIfAsleep),
    );
    return byRules === undefined ? undefined : atInterfaces + byRules;
  }

  /** What a module fails to tell is told in `error` and events, as long as it does. */
  async #telling<T>(
    { view, path, signal }: { readonly view: ObjectView; readonly path: string; readonly signal: AbortSignal },
    ask: () => Promise<T>,
  ): Promise<T> {
    const { model } = this.#orchestrator;
    const what = `read ${path}`;
    try {
      const told = await ask();
      model.canRead(view.serial, what);
      return told;
    } catch (error) {
      // Who stopped waiting wants to know nothing.
      if (error instanceof NfioError && !signal.aborted)
        model.cannotRead({ path: `${objectPath(this.#tree, view)}/${path}`, serial: view.serial, what }, error);
      throw error;
    }
  }

  async #askModule(serial: number, path: string, signal: AbortSignal): Promise<Uint8Array> {
    const { model } = this.#orchestrator;
    const vnf = model.vnf(serial);
    const middlebox = model.middlebox(vnf.type);
    const instance = hookInstance(model, vnf, signal);
    const file = moduleFile(middlebox, path);
    // The kernel lets root read what nobody is to read, as programs that copy do.
    if (file !== undefined && (file.mode & 0o444) === 0) return new Uint8Array();
    const read = async (): Promise<string | Uint8Array | undefined> =>
      file?.read === undefined ? await middlebox.hooks?.read?.(instance, path) : await file.read(instance);
    const content = await read().catch(noneIfAsleep);
    return typeof content === 'string' ? Buffer.from(content) : (content ?? new Uint8Array());
  }
}

/** As cgroup files are. */
function flatKeyed(values: object): Uint8Array {
  const lines = Object.entries(values).map(([key, value]) => `${key} ${value}\n`);
  return Buffer.from(lines.join(''));
}

/** What only a guest that runs could tell reads as empty while it does not run, as its counters do: copies and searches of VNFs that sleep end well. */
function noneIfAsleep(error: unknown): undefined {
  if (!(error instanceof NfioError && asleep.has(error.code))) throw error;
}
