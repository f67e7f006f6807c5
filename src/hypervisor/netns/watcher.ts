import type { GuestListener } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { isAlive, mayBeAlive, waitUntilGone } from '../../network/index.ts';
import { boundLog } from '../bound-log.ts';
import type { Guest } from './guest.ts';
import { logFile, readExitCode } from './guest-files.ts';

const intervalMs = 300;
/** Once in so many rounds the very process is looked for, not just one of its number. */
const carefulRounds = 3;
/** Logs are looked at once in so many rounds. */
const logRounds = 10;

/**
 * Notices guests that end by themselves or are killed from outside: within half a second, and within one where another process has the number of a guest by
 * then, or its own parent does not take note of its end. Keeps their logs within bounds.
 */
export class Watcher implements Disposable {
  readonly #guests: ReadonlyMap<string, Guest>;
  readonly #clear: (guest: Guest) => Promise<void>;
  readonly #logger: Logger;
  readonly #listeners: GuestListener[] = [];
  #timer: NodeJS.Timeout | undefined;
  #round = 0;

  constructor(guests: ReadonlyMap<string, Guest>, clear: (guest: Guest) => Promise<void>, logger: Logger) {
    this.#guests = guests;
    this.#clear = clear;
    this.#logger = logger;
  }

  /** Begins to watch. Idempotent. */
  start(): void {
    this.#timer ??= setInterval(() => this.#lookAtAll(), intervalMs).unref();
  }

  /** Adds one that is told. */
  onChange(listener: GuestListener): void {
    this.#listeners.push(listener);
  }

  #look(guest: Guest): void {
    this.#settle(guest).catch((error: unknown) => this.#logger.warn(`${guest.ref.type}/${guest.ref.name}: ${String(error)}`));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookAtAll(): void {
    this.#round += 1;
    const logsToo = this.#round % logRounds === 0;
    const isUp = this.#round % carefulRounds === 0 ? isAlive : mayBeAlive;
    for (const guest of this.#guests.values()) {
      if (guest.process === undefined) continue;
      if (!isUp(guest.process)) this.#look(guest);
      else if (logsToo) void boundLog(logFile(guest.ref.guestDir)).catch(() => undefined);
    }
  }

  async #settle(guest: Guest): Promise<void> {
    const process = guest.process;
    if (process === undefined || guest.verb !== undefined) return;
    if (!(await waitUntilGone(process, intervalMs))) return; // its processes are still ending: looked at again
    if (guest.process !== process || guest.verb !== undefined) return;
    await this.#clear(guest).catch((error: unknown) => this.#logger.warn(`${guest.ref.type}/${guest.ref.name}: ${String(error)}`));
    if (guest.process !== process || guest.verb !== undefined) return;
    guest.ended(readExitCode(guest.ref.guestDir));
    for (const listener of this.#listeners) listener(guest.ref, guest.status);
  }
}
