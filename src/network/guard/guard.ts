import type { PortSpec } from '../../domain/ports/network.ts';
import { NfioError } from '../../errors/index.ts';
import type { Fabric } from '../fabric.ts';
import type { FabricRules } from '../fabric-rules.ts';
import { fabricPortName } from '../names.ts';
import { type RunResult, runProgram } from '../run-program.ts';
import { elementsOf, type GuardElement, identityOf } from './elements.ts';
import { type GuardChange, guardTransaction } from './messages.ts';
import { droppedName, guardRules, guardTableName, newGuardRules, setNames } from './rules.ts';

const loadTimeoutMs = 10_000;
/** How often it is looked whether frames were dropped, and whether the rules are there, milliseconds. */
const lookMs = 2000;
/** So long after the rules were refused they are tried again, milliseconds: the kernel may have been short of memory. */
const retryMs = 60_000;
/** So long after ports have gone what is known of them is removed, milliseconds. */
const clearMs = 500;
/** So many elements go into one transaction at most: the kernel takes a list of 64 KiB. */
const mostAtOnce = 400;
/** Exit statuses above it are of what a signal ended. */
const killed = 128;

/** Hears that forged frames were dropped; with why when this machine cannot guard ports. */
export type GuardListener = (failure: Error | undefined) => void;

/**
 * Drops what guests send in the name of others, where it comes from the port and before the bridge learns anything of it: by one set of nft rules for all ports of a
 * fabric (bridge family), which look up in sets who a port is. A port that comes or changes costs some elements of sets, and no program. The rules are the kernel's, and
 * outlive this process.
 */
export class Guard implements AsyncDisposable {
  readonly #fabric: Fabric;
  readonly #rules: FabricRules;
  /** What the kernel shall know, by port. */
  readonly #ports = new Map<string, readonly GuardElement[]>();
  /** It knows all that, and nothing else. */
  #isLoaded = false;
  /** How many ports need an element, by its identity. */
  readonly #users = new Map<string, number>();
  /** What the next change brings, by port, and that change. */
  readonly #next = new Map<string, readonly GuardElement[]>();
  #change: Promise<void> | undefined;
  /** Ports that are gone. */
  readonly #gone = new Set<string>();
  #clearing: NodeJS.Timeout | undefined;
  #listener: GuardListener = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When rules that were refused are tried again, in milliseconds of performance.now(). */
  #retryAt = 0;
  #dropped = 0;

  constructor(fabric: Fabric, rules: FabricRules) {
    this.#fabric = fabric;
    this.#rules = rules;
    fabric.beforeAttach((ports) => this.#put(ports));
    fabric.afterRemove((ids) => this.#remove(ids));
  }

  /** Guards these ports and no others. What an earlier process left is replaced in one transaction, as far as it has room. */
  guard(ports: readonly PortSpec[]): Promise<void> {
    return this.#rules.alone(async () => {
      this.forget();
      if (ports.length > 0) await this.#make(new Map(ports.map((port) => [port.id, elementsOf(port)])));
    });
  }

  /** The fabric is another one now. */
  forget(): void {
    this.#ports.clear();
    this.#users.clear();
    this.#next.clear();
    this.#gone.clear();
    this.#isLoaded = false;
    this.#dropped = 0;
  }

  onSpoofed(listener: GuardListener): void {
    this.#listener = listener;
  }

  /** How many frames of these ports were dropped. @throws NetworkError */
  async spoofed(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const counts = await this.#read(ids.map(fabricPortName));
    return new Map(ids.flatMap((id) => (counts.has(fabricPortName(id)) ? [[id, counts.get(fabricPortName(id)) ?? 0]] : [])));
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#clearing);
    return Promise.resolve();
  }

  /** Ports come to their segments, or change: the rules know them before a frame passes. */
  #put(ports: readonly PortSpec[]): Promise<void> {
    const wanted = ports.map((port) => [port.id, elementsOf(port)] as const);
    for (const [id] of wanted) this.#gone.delete(id);
    const news = wanted.filter(([id, elements]) => elements.length > 0 || this.#ports.has(id));
    if (news.length === 0) return Promise.resolve();
    for (const [id, elements] of news) this.#next.set(id, elements);
    // What comes meanwhile goes along with the next change: when many guests start, one is made for many ports.
    this.#change ??= this.#rules.alone(() => this.#changeNext());
    return this.#change;
  }

  /** What the rules know of ports that are gone harms nobody: it is removed later, all at once. */
  #remove(ids: readonly string[]): void {
    for (const id of ids) if (this.#ports.has(id) || this.#next.has(id)) this.#gone.add(id);
    if (this.#gone.size === 0 || this.#clearing !== undefined) return;
    this.#clearing = setTimeout(() => {
      this.#clearing = undefined;
      if (this.#gone.size === 0) return;
      for (const id of this.#gone) this.#next.set(id, []);
      this.#gone.clear();
      this.#change ??= this.#rules.alone(() => this.#changeNext());
      this.#change.catch(() => undefined); // all is loaded again with the next change
    }, clearMs).unref();
  }

  #changeNext(): Promise<void> {
    const wanted = new Map(this.#next);
    this.#next.clear();
    this.#change = undefined;
    return this.#make(wanted);
  }

  async #make(wanted: ReadonlyMap<string, readonly GuardElement[]>): Promise<void> {
    const [added, removed] = this.#take(wanted);
    // A fabric without ports may be about to go.
    if (performance.now() < this.#retryAt || (this.#ports.size === 0 && !this.#isLoaded)) return;
    if (await this.#rules.isChanged()) this.#isLoaded = false;
    if (!this.#isLoaded) await this.#loadAll();
    else if (added.length + removed.length > 0) await this.#send([{ emptied: [], added, removed }]);
  }

  /** Notes what the kernel shall know. @returns elements that nobody needed before, and those that nobody needs any more. */
  #take(wanted: ReadonlyMap<string, readonly GuardElement[]>): readonly [GuardElement[], GuardElement[]] {
    const added = [...wanted.values()].flat().filter((element) => this.#use(element, 1) === 1);
    const removed = [...wanted.keys()].flatMap((id) => this.#ports.get(id) ?? []).filter((element) => this.#use(element, -1) === 0);
    for (const [id, elements] of wanted) {
      if (elements.length > 0) this.#ports.set(id, elements);
      else this.#ports.delete(id);
    }
    return [added, removed];
  }

  #use(element: GuardElement, change: 1 | -1): number {
    const identity = identityOf(element);
    const users = (this.#users.get(identity) ?? 0) + change;
    if (users > 0) this.#users.set(identity, users);
    else this.#users.delete(identity);
    return users;
  }

  /** Makes the rules, in place of what is there, and has the kernel know all it shall know. */
  async #loadAll(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#look(), lookMs).unref();
    if (!(await this.#loadRules())) return;
    const all = [...new Map([...this.#ports.values()].flat().map((element) => [identityOf(element), element])).values()];
    const first = { emptied: setNames, added: all.slice(0, mostAtOnce), removed: [] };
    const later = Array.from({ length: Math.ceil(all.length / mostAtOnce) - 1 }, (_, index) => {
      return { emptied: [], added: all.slice((index + 1) * mostAtOnce, (index + 2) * mostAtOnce), removed: [] };
    });
    await this.#send([first, ...later]);
    this.#isLoaded = true;
  }

  async #send(changes: readonly GuardChange[]): Promise<void> {
    try {
      await this.#rules.own(() => this.#fabric.changeRules(changes.map(guardTransaction)));
    } catch (error) {
      this.#isLoaded = false; // all again with the next change, or look
      throw error;
    }
  }

  /** False where this machine cannot: its guests go on unguarded. */
  async #loadRules(): Promise<boolean> {
    await this.#fabric.ensure();
    let result = await this.#nft(guardRules());
    // What is there under our name may be of another make.
    if (result.exitCode !== 0) result = await this.#nft(newGuardRules());
    this.#rules.canGuard = result.exitCode === 0;
    if (this.#rules.canGuard) return true;
    this.#retryAt = performance.now() + retryMs;
    this.#listener(new NfioError('UnsupportedError', { message: `nft: ${result.stderr.split('\n')[0] ?? ''}` }));
    return false;
  }

  async #nft(input: string): Promise<RunResult> {
    const argv = ['nsenter', `--net=${this.#fabric.netnsPath}`, '--', 'nft', '-f', '-'] as const;
    const options = { signal: AbortSignal.timeout(loadTimeoutMs), input };
    const result = await this.#rules.own(() => runProgram(argv, options));
    if (result.exitCode <= killed) return result;
    throw new NfioError('NetworkError', { message: 'nft was killed while it made the rules that guard ports; try again' });
  }

  /** One number tells whether there is any news, or whether someone removed the rules. */
  async #look(): Promise<void> {
    if (this.#ports.size === 0) return;
    if (this.#isLoaded) {
      const counts = await this.#read([droppedName]).catch(() => undefined); // it is looked again
      if (counts === undefined) return;
      const dropped = counts.get(droppedName);
      if (dropped === undefined) this.#isLoaded = false;
      else if (dropped > this.#dropped) this.#listener(undefined);
      this.#dropped = dropped ?? 0;
    }
    if (!this.#isLoaded) await this.#rules.alone(() => this.#make(new Map())).catch(() => undefined); // it is looked again
  }

  async #read(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (!this.#rules.canGuard || !(await this.#fabric.exists())) return new Map();
    const counts = await this.#rules.reader.read({ netns: this.#fabric.netnsPath, family: 'bridge', table: guardTableName }, names);
    return new Map([...counts].map(([name, { packets }]) => [name, packets]));
  }
}
