import type { AppliedChain, ChainRecord } from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';
import type { Model } from '../model.ts';
import type { ChainResolver } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';
import type { Steersman } from './steersman.ts';

/** What kind of an edit it is. */
export interface EditKind {
  /** It takes something away: hops that are left without a way to them are taken for being half removed, and traffic goes on as it did. */
  readonly takesAway?: boolean;
  /** It is complete in itself: where it makes no service chain that works, it is refused. */
  readonly whole?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Changes the record of a service chain. One that is active follows: from one service chain that works to the next, at one moment. What makes
 * none, as one edit of several often does, changes the record only; traffic goes on as it did, and `error` says what is missing.
 */
export class ChainEditor {
  readonly #model: Model;
  readonly #resolver: ChainResolver;
  readonly #steersman: Steersman;
  readonly #runtimes: ChainRuntimes;

  constructor(model: Model, parts: { readonly resolver: ChainResolver; readonly steersman: Steersman; readonly runtimes: ChainRuntimes }) {
    this.#model = model;
    this.#resolver = parts.resolver;
    this.#steersman = parts.steersman;
    this.#runtimes = parts.runtimes;
  }

  /** Runs a task when no other one changes the service chain; its outcome is in `error`. */
  async alone<T>(serial: number, what: string, task: (chain: ChainRecord) => Promise<T>): Promise<T> {
    const current = this.#chain(serial);
    return await this.#model.recordObject(current, what, () => this.#runtimes.of(serial).lane.run(() => task(this.#chain(serial))));
  }

  /** Changes the record, and what traffic is steered by. @throws what the change throws, and what steering does; then all is as before. */
  async edit(
    serial: number,
    what: string,
    change: (chain: ChainRecord) => ChainRecord | Promise<ChainRecord>,
    kind: EditKind = {},
  ): Promise<void> {
    const signal = kind.signal ?? new AbortController().signal;
    await this.alone(serial, what, async (before) => {
      const after = await change(before);
      if (after === before) return;
      const applied = before.applied === undefined ? undefined : await this.#resolve(after, kind, signal);
      if (applied === undefined || JSON.stringify(applied) === JSON.stringify(before.applied))
        await this.#commit({ ...after, applied: before.applied });
      else await this.#steersman.change({ before, after: { ...after, applied } }, signal);
    });
    this.#model.publishChain(serial);
  }

  /**
   * Something that an active service chain may have waited for has changed: makes it steer as its files say, where it did not because an edit made nothing that
   * worked. What fails is told in `error` and `events`.
   */
  async catchUp(serial: number, signal: AbortSignal): Promise<void> {
    const runtime = this.#runtimes.of(serial);
    if (runtime.behind?.why === '') return;
    await runtime.lane.run(async () => {
      const before = this.#model.inventory.chain(serial);
      if (before?.applied === undefined || runtime.behind?.why === '') return;
      const { behind } = runtime;
      const applied = await this.#resolve(before, { takesAway: behind?.unreached !== 'left out' }, signal);
      if (applied !== undefined && JSON.stringify(applied) !== JSON.stringify(before.applied)) await this.#follow(before, applied, signal);
      if (runtime.behind?.why !== behind?.why) this.#model.publishChain(serial);
    });
  }

  async #follow(before: ChainRecord, applied: AppliedChain, signal: AbortSignal): Promise<void> {
    const path = `chns/${before.name}`;
    try {
      await this.#steersman.change({ before, after: { ...before, applied } }, signal);
      this.#model.note({ path, what: 'caught up', why: 'what its files name is there now' });
    } catch (error) {
      const why = (error as Error).message;
      this.#runtimes.of(before.serial).behind = { why, unreached: 'wrong' };
      this.#model.note({ path, what: 'steering failed', why });
    }
  }

  /** What to steer by from now on, undefined to go on as before. */
  async #resolve(chain: ChainRecord, { takesAway, whole }: EditKind, signal: AbortSignal): Promise<AppliedChain | undefined> {
    const runtime = this.#runtimes.of(chain.serial);
    const unreached = takesAway === true ? 'wrong' : 'left out';
    try {
      const applied = await this.#resolver.resolve(chain, { unreached, signal });
      runtime.behind = { why: '', unreached };
      return applied;
    } catch (error) {
      if (whole === true || !(error instanceof NfioError)) throw error;
      runtime.behind = { why: error.message, unreached };
      return undefined;
    }
  }

  async #commit(chain: ChainRecord): Promise<void> {
    await this.#model.parts.store.update(chain);
    this.#model.inventory.put(chain);
  }

  #chain(serial: number): ChainRecord {
    const chain = this.#model.inventory.chain(serial);
    if (chain === undefined) throw new NfioError('NotFoundError', { message: 'the service chain has been removed' });
    return chain;
  }
}
