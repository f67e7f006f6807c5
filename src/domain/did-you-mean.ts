/** The known word that a mistyped one most probably meant: the nearest, if it is near, or one that begins with it. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const tolerance = Math.max(1, Math.floor(word.length / 3));
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(word.slice(0, 64).toLowerCase(), candidate.toLowerCase());
    const near = distance <= tolerance || (word.length > 1 && candidate.startsWith(word));
    if (near && distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest;
}

/** ` (did you mean "command"?)` when a known word is near to the one that was written, else nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
}

/** Insertions, deletions, substitutions and exchanges of neighbours that turn one word into the other (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const substituted = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const neighbours = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const exchanged = neighbours ? (beforePrevious[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(substituted, exchanged, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}
