import { defaultName, limitOfText } from '../domain/quotas.ts';
import { rootSerial } from './build-views.ts';
import type { Tree } from './tree.ts';

/** How many files a user may have open, as the tree shows it: in their own entry of quotas/, else in the one for all. Root may have any number. */
export function handleLimit(tree: Tree, uid: number): number {
  if (uid === 0) return Number.POSITIVE_INFINITY;
  const quotas = tree.children(rootSerial, 'quota');
  const own = [...quotas.values()].find(({ texts }) => texts['uid'] === String(uid));
  return limitOfText((own ?? quotas.get(defaultName))?.texts['handles']) ?? Number.POSITIVE_INFINITY;
}
