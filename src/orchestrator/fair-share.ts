/** A line of a log. */
export interface OwnedLine {
  /** Whose share it counts to. */
  readonly uid: number;
  readonly bytes: number;
}

/**
 * Which lines stay when a log is cut to a size: the newest of each user. Room is divided so that nobody loses a line while another keeps more than she does, so who
 * writes much cuts her own past only.
 *
 * @param lines the oldest first.
 * @returns true for each that stays.
 */
export function fairShare(lines: readonly OwnedLine[], limit: number): boolean[] {
  const share = shareOf([...sums(lines).values()], limit);
  const kept = new Map<number, number>();
  const stays = lines.map(() => false);
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const { uid, bytes } = lines[index] as OwnedLine;
    const sum = (kept.get(uid) ?? 0) + bytes;
    // Once one did not fit no older one stays: a history has no holes.
    kept.set(uid, sum <= share ? sum : Number.POSITIVE_INFINITY);
    stays[index] = sum <= share;
  }
  return stays;
}

function sums(lines: readonly OwnedLine[]): Map<number, number> {
  const sum = new Map<number, number>();
  for (const { uid, bytes } of lines) sum.set(uid, (sum.get(uid) ?? 0) + bytes);
  return sum;
}

/** The largest share with which all together have at most `limit`: who wants less leaves room for the others. */
function shareOf(wanted: readonly number[], limit: number): number {
  let room = limit;
  const ascending = wanted.toSorted((a, b) => a - b);
  for (const [index, bytes] of ascending.entries()) {
    const equal = room / (ascending.length - index);
    if (bytes > equal) return equal;
    room -= bytes;
  }
  return limit;
}
