import { nearestWord } from '../domain/did-you-mean.ts';

/** ` Did you mean X?` as a sentence of its own, or nothing when no candidate is near. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const candidate = nearestWord(word, candidates);
  return candidate === undefined ? '' : ` Did you mean ${candidate}?`;
}
