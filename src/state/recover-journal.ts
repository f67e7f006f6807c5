import { join } from 'node:path';
import { errnoName, errnoOf } from '../errors/index.ts';
import { finalStates, isPresent, keyOf } from './final-states.ts';
import { Journal, journalName } from './journal.ts';
import { type JournalContent, readJournal } from './journal-text.ts';
import { replay } from './replay.ts';

/** What a journal says that the directories of its root do not, for they can only be read. */
export interface Unfinished {
  /** Texts of records by key. */
  readonly texts: ReadonlyMap<string, string>;
  /** Keys where nothing is. */
  readonly gone: ReadonlySet<string>;
}

/** How a start found a journal. */
export interface Recovery {
  /** undefined: all it said is in the directories. */
  readonly unfinished: Unfinished | undefined;
  /** What the user must know, a sentence each. */
  readonly told: readonly string[];
}

/**
 * Carries out what a journal says, and empties it. Where the disk takes nothing, or cannot be read, all is served as it should be nevertheless; the journal stays as it is, and its
 * writer tries the same before it takes a change.
 */
export function recoverJournal(root: string): Recovery {
  const path = join(root, journalName);
  let content: JournalContent | undefined;
  try {
    content = readJournal(path);
    const told = [...damageOf(path, content.damaged), ...(content.entries.length > 0 ? replay(root, content) : [])];
    new Journal(path)[Symbol.dispose]();
    return { unfinished: undefined, told };
  } catch (error) {
    if (errnoName(errnoOf(error)) === undefined) throw error;
    const why = (error as Error).message;
    return { unfinished: unfinished(content), told: [`${root} is served as it is, and changes fail until it can be written: ${why}`] };
  }
}

function damageOf(path: string, damaged: readonly string[]): string[] {
  if (damaged.length === 0) return [];
  const which = [...new Set(damaged)].join(', ');
  return [
    `${path}: ${damaged.length} of its entries cannot be read (${which}). A change that was not confirmed, or a damaged disk. Look at what these say`,
  ];
}

function unfinished(content: JournalContent | undefined): Unfinished {
  const finals = finalStates(content?.entries ?? []);
  const texts = new Map(finals.filter(isPresent).map((final) => [keyOf(final), final.text]));
  const gone = new Set(finals.flatMap(({ keys }) => keys).filter((key) => !texts.has(key)));
  return { texts, gone };
}
