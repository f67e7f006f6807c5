/** So many files are open at once: more would not be faster, and what others need is left to them. */
const mostAtOnce = 16;

/**
 * Calls `use` for each item, for a few at a time: with as many at once as there are objects a process would come to its limit of open files (EMFILE).
 *
 * @returns what the calls resolve to, in the order of the items. @throws as the first that fails; no further ones are begun then.
 */
export async function mapBounded<T, R>(items: readonly T[], use: (item: T) => Promise<R>, most = mostAtOnce): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  let failed = false;
  const work = async (): Promise<void> => {
    for (const [index, item] of waiting) {
      if (failed) return;
      results[index] = await use(item);
    }
  };
  const workers = Array.from({ length: Math.min(most, items.length) }, () =>
    work().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  await Promise.all(workers);
  return results;
}
