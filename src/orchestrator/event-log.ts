import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Event, eventsPathOf } from '../domain/event.ts';
import type { Logger } from '../domain/ports/logger.ts';
import { unlessAbsent } from '../errors/index.ts';
import { EventFile, endOf } from './event-file.ts';
import { Lane } from './lane.ts';

/** How large files become before they are cut by half, bytes: that with all, and that of each user. */
const sizeLimits = { whole: 8 * 1024 * 1024, user: 1024 * 1024 };
/** So many characters of a text are kept: modules and programs may say more. */
const mostText = 4096;
/** After a write the next waits so long, milliseconds: each costs more than what it writes, and in a burst there is more to write by then. */
const gatherMs = 5;
/** Files of users that stay open. */
const mostOpen = 16;

/** What a log of events is made with. */
export interface EventLogOptions {
  readonly logger: Logger;
  readonly now: () => Date;
  /** Bytes; for tests. */
  readonly limits?: { readonly whole: number; readonly user: number };
}

/**
 * What `events` shows: a file with all, for root, and one for each other user, with what she did and what happened to what is hers. Lines are numbered through. Each file is
 * bounded, and in that with all each user's share is: nobody's lines go to make room for those of somebody who has more.
 */
export class EventLog implements AsyncDisposable {
  readonly #path: string;
  readonly #options: EventLogOptions;
  readonly #lane = new Lane();
  readonly #whole: EventFile;
  readonly #users = new Map<number, EventFile>();
  readonly #limits: { readonly whole: number; readonly user: number };
  #waiting: { readonly text: string; readonly seenBy: ReadonlySet<number> }[] = [];
  #number: number;

  /** @param path of the file with all. */
  constructor(path: string, options: EventLogOptions) {
    this.#path = path;
    this.#options = options;
    this.#limits = options.limits ?? sizeLimits;
    this.#whole = new EventFile(path, this.#limits.whole);
    this.#number = this.#lastNumber();
  }

  /**
   * Appends an event; the files have it soon after. A disk that is full loses the event, never the operation.
   *
   * @param owner of what it happened to.
   */
  add(event: Event, owner = 0): void {
    this.#number += 1;
    this.#waiting.push({
      text: lineOf(event, { number: this.#number, time: this.#options.now().toISOString(), owner }),
      seenBy: new Set([owner, event.by?.uid ?? 0].filter((uid) => uid !== 0)),
    });
    if (this.#waiting.length === 1) void this.#lane.run(() => this.#writeAndGather());
  }

  /** Numbers go on from those of the server before this one; from 1 where they cannot be read, which hinders nothing else. */
  #lastNumber(): number {
    try {
      return lastNumber(this.#path);
    } catch (error) {
      this.#options.logger.error(`events: ${(error as Error).message}`);
      return 0;
    }
  }

  /** Resolves when all events added so far are in the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lane.run(async () => {
      for (const file of [this.#whole, ...this.#users.values()]) await file.close();
    });
  }

  async #writeAndGather(): Promise<void> {
    await this.#write();
    await delay(gatherMs);
  }

  /** The file with all comes last: who waits for news is woken by it, and then finds those of her own. */
  async #write(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = [];
    const users = new Set(lines.flatMap(({ seenBy }) => [...seenBy]));
    for (const uid of [...users, 0]) {
      const seen = uid === 0 ? lines : lines.filter(({ seenBy }) => seenBy.has(uid));
      try {
        const file = await this.#of(uid);
        await file.append(seen.map(({ text }) => text).join(''));
      } catch (error) {
        this.#options.logger.error(`events: ${(error as Error).message}`);
      }
    }
  }

  async #of(uid: number): Promise<EventFile> {
    if (uid === 0) return this.#whole;
    const file = this.#users.get(uid) ?? new EventFile(eventsPathOf(this.#path, uid), this.#limits.user);
    this.#users.delete(uid);
    this.#users.set(uid, file); // used last, so closed last
    const [oldest] = this.#users;
    if (this.#users.size > mostOpen && oldest !== undefined) {
      this.#users.delete(oldest[0]);
      await oldest[1].close();
    }
    return file;
  }
}

function lineOf(
  { path, what, why, by, outcome }: Event,
  known: { readonly number: number; readonly time: string; readonly owner: number },
): string {
  const { number, time, owner } = known;
  const who = by === undefined ? {} : { uid: by.uid, gid: by.gid, pid: by.pid, program: by.program };
  const texts = { path: cut(path), what: cut(what), why: why === undefined ? undefined : cut(why) };
  return `${JSON.stringify({ number, time, ...texts, outcome, ...who, owner })}\n`;
}

function cut(text: string): string {
  return text.length > mostText ? `${text.slice(0, mostText)}…` : text;
}

/** Number of the last line of a file, 0 when it has none that is numbered. @throws as node:fs does when it cannot be read. */
function lastNumber(path: string): number {
  const fd = unlessAbsent(() => openSync(path, 'r'));
  if (fd === undefined) return 0;
  try {
    const numbers = [
      ...endOf(fd)
        .toString('latin1')
        .matchAll(/^\{"number":(\d+)/gm),
    ];
    return Number(numbers.at(-1)?.[1] ?? 0);
  } finally {
    closeSync(fd);
  }
}
