import { type Turns, takeTurn } from '../domain/pace.ts';
import { NfioError } from '../errors/index.ts';
import { limitAndRemedy, limitsFor } from './room.ts';
import type { World } from './world.ts';

/** How many verbs users give in a second. */
export class VerbPace {
  readonly #world: World;
  readonly #turns = new Map<number, Turns>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A user gives a verb. @returns the error to refuse it with (EDQUOT) when there were too many; undefined: it may be carried out. */
  take(uid: number): NfioError | undefined {
    const limit = uid === 0 ? Number.POSITIVE_INFINITY : limitsFor(this.#world, this.#world.inventory.quotaOf(uid)).verbs_per_second;
    if (limit === Number.POSITIVE_INFINITY) return undefined;
    const turns = takeTurn(this.#turns.get(uid), limit, performance.now());
    if (turns === undefined) {
      const message = `user ${uid} gives verbs too fast; try again in a second. ${limitAndRemedy(this.#world, uid, 'verbs_per_second')}`;
      return new NfioError('QuotaError', { message, retryable: true });
    }
    this.#turns.set(uid, turns);
    return undefined;
  }
}
