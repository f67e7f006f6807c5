import { unlessAbsent } from '../errors/index.ts';
import type { JournalEntry } from './journal-entry.ts';
import { readText } from './read-text.ts';
import { checksumOf } from './seal.ts';

/** What a journal says. */
export interface JournalContent {
  /** Oldest first. */
  readonly entries: readonly JournalEntry[];
  /** Of each entry that cannot be read the path of its object, or `?`. */
  readonly damaged: readonly string[];
}

/**
 * Entries as the journal has them: a line for each with its checksum, and an empty line after it, so that no flipped bit makes two lines one.
 *
 * @example `7c2e91d3 {"op":"remove","key":"nf-types/host/a","serial":20}`
 */
export function encodeEntries(entries: readonly JournalEntry[]): string {
  return entries.map((entry) => encodeEntry(JSON.stringify(entry))).join('');
}

function encodeEntry(json: string): string {
  return `${checksumOf(json)} ${json}\n\n`;
}

/**
 * Reads a journal. What follows its last whole line is room, or was never confirmed, and is left out. An entry before that which cannot be read was damaged, or is of an append that
 * a loss of power cut off: blocks of one append can reach the disk in any order.
 */
export function readJournal(path: string): JournalContent {
  const text = unlessAbsent(() => readText(path)) ?? '';
  const entries: JournalEntry[] = [];
  const damaged: string[] = [];
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue;
    const entry = decodeLine(line);
    if (entry !== undefined) entries.push(entry);
    else damaged.push(/"key":"([^"]*)"/.exec(line)?.[1] ?? '?');
  }
  return { entries, damaged };
}

/** Lines of older versions are JSON alone. */
function decodeLine(line: string): JournalEntry | undefined {
  const json = line.startsWith('{') ? line : line.slice(9);
  if (json !== line && line.slice(0, 9) !== `${checksumOf(json)} `) return undefined;
  try {
    return JSON.parse(json) as JournalEntry;
  } catch {
    return undefined;
  }
}
