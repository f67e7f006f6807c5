import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestMount } from '../support/mount.ts';
import { Prng } from '../support/prng.ts';
import { shell } from '../support/shell.ts';
import { Client, type Ended } from './client.ts';
import { Killer } from './killer.ts';
import type { Kind } from './kind.ts';
import { LostRequests } from './lost-requests.ts';
import { Verdict } from './verdict.ts';

/** How long a round is: then the clients end, what they were promised is looked at, and the mount is unmounted and mounted. Milliseconds. */
const roundMs = 20_000;
/** In one round of so many both processes are killed at its end. */
const roundsPerCut = 3;

export interface StormOptions {
  readonly kinds: readonly Kind[];
  readonly minutes: number;
  /** Most servers that are killed. */
  readonly kills: number;
  readonly seed: number;
  /** Takes a line of news. */
  readonly tell: (line: string) => void;
}

/** Clients of all kinds on one mount whose server is killed again and again. */
class Storm {
  readonly verdict = new Verdict();
  readonly killer: Killer;
  readonly #options: StormOptions;
  readonly #mount: TestMount;
  readonly #scratch: string;
  #rounds = 0;

  constructor(options: StormOptions, mount: TestMount, scratch: string) {
    this.#options = options;
    this.#mount = mount;
    this.#scratch = scratch;
    this.killer = new Killer(mount, new Prng(options.seed));
  }

  async run(lost: LostRequests | undefined): Promise<void> {
    for (const kind of this.#options.kinds) await this.#mount.run(kind.setUp, { timeoutMs: 60_000 });
    const endMs = Date.now() + this.#options.minutes * 60_000;
    do {
      lost?.of((await stat(this.#mount.path)).dev);
      await this.#round(Math.min(endMs, Date.now() + roundMs));
    } while (Date.now() < endMs && this.killer.kills < this.#options.kills);
  }

  async #round(endMs: number): Promise<void> {
    this.#rounds += 1;
    const cut = this.#rounds % roundsPerCut === 0;
    const stop = join(this.#scratch, `stop.${this.#rounds}`);
    const round = { number: this.#rounds, seed: this.#options.seed, path: this.#mount.path, scratch: this.#scratch, stop };
    const clients = this.#options.kinds.map((kind) => new Client(kind, round));
    await this.killer.killUntil(endMs, this.#options.kills);
    if (cut) await this.killer.killBoth();
    await writeFile(stop, '');
    const ended = await Promise.all(clients.map((client) => client.end()));
    for (const [index, { said, trouble }] of ended.entries()) {
      this.verdict.hear(this.#options.kinds[index]?.name ?? '', said, { cut });
      if (trouble !== undefined) this.verdict.faults.push(trouble);
    }
    if (!cut) await this.#check(ended, `after round ${this.#rounds}`);
    await this.#mountAgain(cut);
    await this.#check(ended, `after round ${this.#rounds} and another mount`);
    this.#options.tell(`round ${this.#rounds}: ${this.killer.kills} kills, ${this.verdict.faults.length} faults`);
  }

  /** By nf.io's own calls; or as who does not wait for the end of the earlier server. */
  async #mountAgain(cut: boolean): Promise<void> {
    if (cut || this.#rounds % 2 === 1) await this.#mount.unmount({ lazy: cut });
    else {
      const { status, stderr } = await shell(`umount ${this.#mount.path}`);
      if (status !== 0) this.verdict.faults.push(`umount after round ${this.#rounds}: ${stderr}`);
      if (status !== 0) await this.#mount.unmount({ lazy: true });
    }
    await this.#mount.mount();
  }

  async #check(ended: readonly Ended[], when: string): Promise<void> {
    for (const [index, { said }] of ended.entries()) {
      const kind = this.#options.kinds[index] as Kind;
      const wrong = await kind.check(this.#mount, said).catch((error: Error) => [error.message]);
      this.verdict.faults.push(...wrong.map((sentence) => `${kind.name}, ${when}: ${sentence}`));
    }
  }
}

/** Runs a storm. @returns what must not be, a sentence each. */
export async function runStorm(options: StormOptions): Promise<readonly string[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'nfio-storm-'));
  const lost = await LostRequests.watch();
  try {
    await using mount = await TestMount.start();
    const storm = new Storm(options, mount, scratch);
    await storm.run(lost);
    await lost?.[Symbol.asyncDispose]();
    const { verdict, killer } = storm;
    verdict.judge(lost?.count ?? killer.kills, lost?.others ?? []);
    tellFigures(options, storm, lost?.count);
    return verdict.faults;
  } finally {
    if (existsSync(scratch)) await rm(scratch, { recursive: true });
  }
}

function tellFigures({ tell, minutes, seed }: StormOptions, { verdict, killer }: Storm, lost: number | undefined): void {
  const stalls = killer.stallsMs.toSorted((a, b) => a - b);
  const at = (part: number): string => `${Math.round(stalls[Math.min(stalls.length - 1, Math.floor(stalls.length * part))] ?? 0)} ms`;
  tell(`${minutes} minutes, ${killer.kills} kills, seed ${seed}. Confirmed and found: ${verdict.confirmed}.`);
  tell(
    `Calls that failed with EIO: ${verdict.lost.length}; requests that the kernel lost (ADR 8): ${lost ?? 'not known, at most one a kill'}.`,
  );
  tell(`From a kill to the next answer: ${at(0.5)} (median), ${at(0.99)} (99 of 100), ${at(1)} (longest).`);
}
