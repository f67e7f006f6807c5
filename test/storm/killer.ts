import { setTimeout as delay } from 'node:timers/promises';
import type { TestMount } from '../support/mount.ts';
import { answered } from '../support/over-kills.ts';
import type { Prng } from '../support/prng.ts';

/** A supervisor gives up on servers of which nine in a row live for less than three seconds (src/daemon/supervisor.ts): one in so many lives longer. */
const quickKills = 4;
const calmMs = 3300;
const longestQuickLifeMs = 1200;

/** Kills servers of a mount at random, and measures how long its clients wait for the next. */
export class Killer {
  readonly #mount: TestMount;
  readonly #random: Prng;
  /** From each kill to the first answer after it, milliseconds. */
  readonly stallsMs: number[] = [];
  kills = 0;

  constructor(mount: TestMount, random: Prng) {
    this.#mount = mount;
    this.#random = random;
  }

  /** Kills until a time (Date.now()), or that many servers in all. */
  async killUntil(endMs: number, most: number): Promise<void> {
    while (this.kills < most) {
      await delay(this.#lifeMs());
      if (Date.now() >= endMs) return;
      await this.#kill();
    }
    await delay(Math.max(0, endMs - Date.now()));
  }

  #lifeMs(): number {
    return this.kills % (quickKills + 1) === quickKills ? calmMs : this.#random.below(longestQuickLifeMs);
  }

  async #kill(): Promise<void> {
    const server = await this.#mount.server();
    const killedMs = performance.now();
    process.kill(server, 'SIGKILL');
    this.kills += 1;
    await this.#mount.ended(server);
    // Now and then the next one is killed while it starts.
    if (this.#random.below(8) === 0) return;
    await answered(this.#mount.path);
    this.stallsMs.push(performance.now() - killedMs);
  }

  /** Kills the supervisor and the server: the mount is gone. */
  async killBoth(): Promise<void> {
    const { supervisor } = this.#mount;
    const server = await this.#mount.server();
    process.kill(supervisor, 'SIGKILL');
    process.kill(server, 'SIGKILL');
    this.kills += 1;
    await this.#mount.ended(server);
  }
}
