import type { TestMount } from '../support/mount.ts';

/** A line that a client printed; storm.py says what there is. */
export interface Said {
  readonly word: string;
  readonly rest: string;
  readonly atMs: number;
}

/** A kind of client: what it does to the mount, and how one sees afterwards that all it was promised holds. */
export interface Kind {
  readonly name: string;
  /** Made before the storm, by bash in the mount. */
  readonly setUp: string;
  /** Run in the mount, with storm.py or storm.sh, once a round. */
  readonly program: { readonly language: 'python' | 'bash'; readonly text: string };
  /** What is not as it was promised, a sentence each. Called when the client has ended, and again after the mount was unmounted and mounted. */
  check(mount: TestMount, said: readonly Said[]): Promise<readonly string[]>;
}

/** What may be there by what a client said: the last that was confirmed, or anything that it tried since. Empty: it is not known, for nothing was confirmed. */
export function possible(said: readonly Said[]): readonly string[] {
  const last = said.findLastIndex(({ word }) => word === 'ok');
  if (last < 0) return [];
  return said.slice(last).flatMap(({ word, rest }) => (word === 'ok' || word === 'try' ? [rest] : []));
}

/** A sentence when what is there is nothing that may be. */
export function differing(what: string, found: string, said: readonly Said[]): readonly string[] {
  const may = possible(said);
  return may.length === 0 || may.includes(found) ? [] : [`${what} is ${JSON.stringify(found)}, not ${may.slice(0, 5).join(' or ')}`];
}
