/** True where tests try all there is to try, instead of a sample of it: NFIO_THOROUGH is set. */
export const isThorough = Boolean(process.env['NFIO_THOROUGH']);

/**
 * What a test tries: all of it, or a sample, evenly spread.
 *
 * @param size how many are in a sample.
 */
export function sample<T>(all: readonly T[], size: number): readonly T[] {
  if (isThorough || all.length <= size) return all;
  return Array.from({ length: size }, (_, index) => all[Math.floor((index * all.length) / size)] as T);
}
