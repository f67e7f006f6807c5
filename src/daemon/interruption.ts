import { type CallerSignals, meansToCancel, signalsOf } from '../fuse/caller-signals.ts';
import type { Ticket } from '../fuse/ticket.ts';
import { fileAt } from '../tree/files.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import type { Tree } from '../tree/tree.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';

/** How often a caller that got a signal is looked at again while its request is under way, milliseconds. */
const lookAgainMs = 50;

/** What is written to these can take long. */
const longWrites: ReadonlySet<unknown> = new Set(['action', 'module', 'probe']);

type Ticketed = Extract<Forwarded, { ticket: Ticket }>;

/** How Interruptions learn of callers: given in tests. */
export interface InterruptionOptions {
  readonly look?: (thread: number) => CallerSignals;
  /** Told when a request is cancelled. */
  readonly onCancel?: (ticket: Ticket) => void;
}

/**
 * True for requests that may be cancelled: those that can take long. Settings, names, saves of files are always carried out: who gets a signal
 * meanwhile has its answer before the signal.
 */
export function isCancellable(message: Ticketed, tree: Tree): boolean {
  if (['read', 'size', 'command', 'finish'].includes(message.op)) return true;
  if (message.op !== 'write') return false;
  const view = tree.get(serialOf(message.ticket.nodeid));
  const spec = view === undefined ? undefined : fileAt(view, indexOf(message.ticket.nodeid));
  return spec?.type === 'file' && (longWrites.has(spec.write) || (view?.kind === 'hop' && spec.path === 'replicas'));
}

/**
 * The requests under way that may be cancelled. The kernel says once of a request that a signal is pending for its caller, whatever signal, and says nothing of
 * later ones: from then on the caller is looked at until its request is answered.
 *
 * A caller that no /proc shows (its pid namespace is none of ours) is cancelled by any signal, for else nothing could ever end it.
 */
export class Interruptions {
  readonly #look: (thread: number) => CallerSignals;
  readonly #onCancel: (ticket: Ticket) => void;
  readonly #running = new Map<Ticket, AbortController>();
  readonly #watched = new Set<Ticket>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ look = signalsOf, onCancel = () => undefined }: InterruptionOptions = {}) {
    this.#look = look;
    this.#onCancel = onCancel;
  }

  /** A request begins; the signal is aborted when it is cancelled. */
  begin(ticket: Ticket): AbortSignal {
    const controller = new AbortController();
    this.#running.set(ticket, controller);
    return controller.signal;
  }

  /** It has been answered. */
  end(ticket: Ticket): void {
    this.#running.delete(ticket);
    this.#watched.delete(ticket);
  }

  /** The kernel sent INTERRUPT. Of a request that has not begun, or that is not cancellable, this says nothing. */
  interrupt(ticket: Ticket): void {
    if (!this.#running.has(ticket) || this.#cancelIfMeant(ticket, ticket.pid === 0)) return;
    this.#watched.add(ticket);
    this.#lookLater();
  }

  /** The next look begins some time after this one has ended, however many there are to look at. */
  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const ticket of this.#watched) this.#cancelIfMeant(ticket, false);
      if (this.#watched.size > 0) this.#lookLater();
    }, lookAgainMs).unref();
  }

  #cancelIfMeant(ticket: Ticket, unseen: boolean): boolean {
    const signals = this.#look(ticket.pid);
    const meant = signals === 'unseen' ? unseen : signals === 'gone' || meansToCancel(signals);
    if (!meant) return false;
    this.#watched.delete(ticket);
    this.#running.get(ticket)?.abort();
    this.#onCancel(ticket);
    return true;
  }
}
