import { NfioError } from '../errors/index.ts';

/**
 * Protocols whose frames go to a group that bridges keep to themselves (IEEE 802.1Q, table 8-1), by the last digit of its address, 01:80:c2:00:00:0X: what
 * a network passes on all the same, as a cable does.
 */
const groups: Readonly<Record<string, number>> = { '802.1x': 0x3, lldp: 0xe };

/** All that a bridge of Linux can pass on besides STP, which it passes on in any case: not pause frames nor LACP (br_private.h, BR_GROUPFWD_RESTRICTED). */
const allGroups = 0xfff8;

/** What a network passes on whose owner said nothing. */
export const defaultForward = 'all';

/**
 * The canonical text of what a network's `forward` may say: `all`, `none`, or names of protocols.
 *
 * @throws InvalidValueError (EINVAL)
 */
export function parseForward(text: string): string {
  const words = [...new Set(text.toLowerCase().split(/[\s,]+/))];
  const wrong = words.find((word) => (words.length > 1 || !['all', 'none'].includes(word)) && !Object.hasOwn(groups, word));
  if (wrong === undefined) return words.sort().join(' ');
  throw new NfioError('InvalidValueError', {
    message: `${JSON.stringify(wrong.slice(0, 80))} is nothing that a network can pass on: write all, none, ${Object.keys(groups).join(', ')}, or several of the protocols`,
  });
}

/** The `group_fwd_mask` of a bridge that passes on what a `forward` says: a bit for each group. */
export function groupMask(forward: string): number {
  if (forward === 'all' || forward === '') return allGroups;
  return forward.split(' ').reduce((mask, word) => mask | (Object.hasOwn(groups, word) ? 1 << (groups[word] ?? 0) : 0), 0);
}
