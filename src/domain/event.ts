import { dirname, join } from 'node:path';
import type { Actor } from './authority.ts';

/** Who asked for something, as events tell. */
export interface Caller extends Actor {
  /** The process, as it was numbered then. */
  readonly pid: number;
  /** The name of its program; empty when it had ended. */
  readonly program: string;
}

/** Something that happened: a line of `events`. */
export interface Event {
  /** Path below the mountpoint. */
  readonly path: string;
  /** In a few words: `activate`, `activate failed`, `exited`. */
  readonly what: string;
  /** Why, or what became of it, in a sentence; absent when `what` says it all. */
  readonly why?: string;
  /** Who asked for it; absent: nobody, it happened by itself. */
  readonly by?: Caller;
  /** How it ended, where somebody asked for it. */
  readonly outcome?: 'done' | 'failed';
}

/**
 * The file on this machine that holds what a user sees as `events`: root sees all there is, others have a file of their own beside it.
 *
 * @param whole the file that holds all.
 */
export function eventsPathOf(whole: string, uid: number): string {
  return uid === 0 ? whole : join(dirname(whole), 'events', `${uid}.jsonl`);
}
