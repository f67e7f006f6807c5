import type { Event } from '../domain/event.ts';

/** So many refusals of a user are told one by one, in so many milliseconds. */
const toldAtOnce = 10;
const windowMs = 60_000;

/** A change that was refused. */
interface Refused {
  readonly event: Event;
  /** What kind of change it was: one of a few words. */
  readonly kind: string;
}

/** What a user was refused beyond what was told. */
interface Kind {
  count: number;
  last: Event;
}

interface Window {
  told: number;
  readonly kinds: Map<string, Kind>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Has `events` tell of refused changes: each user's first few in a minute as they come, the others in one line for each kind when the minute is over. To be refused
 * something costs nobody anything, so without this it would fill the log. Root's are all told.
 */
export class RefusalCounts implements Disposable {
  readonly #note: (event: Event) => void;
  readonly #windows = new Map<number, Window>();

  constructor(note: (event: Event) => void) {
    this.#note = note;
  }

  /** A change was refused. */
  add({ event, kind }: Refused): void {
    const uid = event.by?.uid ?? 0;
    const window = uid === 0 ? undefined : (this.#windows.get(uid) ?? this.#begin(uid));
    if (window === undefined || window.told < toldAtOnce) {
      if (window !== undefined) window.told += 1;
      this.#note(event);
      return;
    }
    const known = window.kinds.get(kind);
    if (known === undefined) window.kinds.set(kind, { count: 1, last: event });
    else {
      known.count += 1;
      known.last = event;
    }
  }

  #begin(uid: number): Window {
    const window: Window = { told: 0, kinds: new Map(), timer: setTimeout(() => this.#end(uid), windowMs).unref() };
    this.#windows.set(uid, window);
    return window;
  }

  #end(uid: number): void {
    const window = this.#windows.get(uid);
    this.#windows.delete(uid);
    if (window === undefined) return;
    clearTimeout(window.timer);
    for (const [kind, { count, last }] of window.kinds) this.#note(inOneLine(kind, count, last));
  }

  /** Tells what was not told yet. */
  [Symbol.dispose](): void {
    for (const uid of [...this.#windows.keys()]) this.#end(uid);
  }
}

function inOneLine(kind: string, count: number, last: Event): Event {
  const changes = count === 1 ? 'one more change' : `${count} more changes`;
  const reason = last.why === undefined ? '' : `: ${last.why}`;
  const why = `${changes} (${kind}) of user ${last.by?.uid} were refused within a minute, the last: ${last.what}${reason}`;
  return { ...last, what: 'refused', why };
}
