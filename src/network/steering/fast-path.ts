import { join } from 'node:path';
import type { PacketCount } from '../../domain/ports/steering.ts';
import type { NfioError } from '../../errors/index.ts';
import type { Fabric } from '../fabric.ts';
import { listWords, networkFailure, type Report, ResidentProgram } from '../resident-program.ts';
import { counterOf, type FastWays, keyOf, type Offer } from './fast-ways.ts';

/** Beside this file in src/ and in dist/. */
export const fastPathProgram = join(import.meta.dirname, 'fast-path.pl');

/**
 * Takes packets on behind a hop past the rules of nft and past one of two crossings, by a BPF program, where the kernel can (Linux 5.10). The rules
 * stay the truth: what will not be so any more is withdrawn before they change, and what is new is offered when they say the same. What was offered is the
 * kernel's and outlives this process; what an earlier one left is withdrawn first.
 */
export class FastPath implements AsyncDisposable {
  readonly #fabric: Fabric;
  readonly #process: ResidentProgram;
  /** By key; undefined: something may be there that is not wanted any more. */
  readonly #offered = new Map<string, Offer | undefined>();
  #begun = false;
  /** False on a kernel that has no such program. */
  #works = true;

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
    this.#process = new ResidentProgram(fastPathProgram, { title: `nfio-fast-path ${fabric.mountId}` });
  }

  /**
   * Leaves to nft whatever is not wanted.
   *
   * @param unused Names of counters that nobody reads any more.
   * @throws NetworkError when it cannot be withdrawn: the rules must not change then.
   */
  async withdraw(wanted: FastWays, unused: readonly string[]): Promise<void> {
    const keys = [...this.#offered].filter(([key, offer]) => !isSame(offer, wanted.get(key))).map(([key]) => key);
    const counters = unused.map(keyOf).filter(Boolean);
    if (this.#begun && keys.length + counters.length === 0) return;
    await this.#ask('withdraw', [...listWords(keys), ...listWords(counters)]);
    for (const key of keys) this.#offered.delete(key);
    this.#begun = true;
  }

  /** Takes what is wanted past nft as far as that can be done: the rules do the rest. */
  async offer(wanted: FastWays): Promise<void> {
    const fresh = [...wanted].filter(([key]) => !this.#offered.has(key));
    if (fresh.length === 0) return;
    for (const [key] of fresh) this.#offered.set(key, undefined);
    const left = await this.#ask('offer', listWords(fresh.flatMap(([key, { words }]) => [key, ...words]))).catch(() => undefined);
    if (left === undefined) return;
    for (const [key, offer] of fresh) this.#offered.set(key, offer);
    for (const { rest } of left) this.#offered.delete(rest);
  }

  /** Interfaces of these names are others now, or queue otherwise. */
  forget(devices: ReadonlySet<string>): void {
    for (const [key, offer] of this.#offered) if (offer?.devices.some((device) => devices.has(device))) this.#offered.set(key, undefined);
  }

  /** What was counted past nft, of the counters of these names. */
  async counts(names: readonly string[]): Promise<ReadonlyMap<string, PacketCount>> {
    const keys = names.map(keyOf).filter(Boolean);
    const reports = keys.length === 0 ? [] : await this.#ask('counts', listWords(keys));
    return new Map(
      reports.map(({ rest }) => {
        const [key = 0, packets = 0, bytes = 0] = rest.split(' ').map(Number);
        return [counterOf(key), { packets, bytes }];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  /** Resolves to what was said before the last word. */
  #ask(verb: string, words: readonly string[]): Promise<readonly Report[]> {
    if (!this.#works) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const reports: Report[] = [];
      const number = this.#process.request([this.#fabric.netnsPath, verb, ...words], (report) => {
        if (report.word === 'began') return this.#offered.clear();
        if (report.word === 'count' || report.word === 'left') {
          reports.push(report);
          return;
        }
        this.#process.forget(number);
        if (report.word === 'none') this.#works = false;
        if (report.word === 'fail') reject(this.#failure(report.rest));
        else resolve(reports);
      });
    });
  }

  /** What the kernel has now is not known. */
  #failure(said: string): NfioError {
    for (const key of this.#offered.keys()) this.#offered.set(key, undefined);
    return networkFailure('the fast path of service chains', said);
  }
}

function isSame(one: Offer | undefined, other: Offer | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one === other || one.words.join() === other.words.join();
}
