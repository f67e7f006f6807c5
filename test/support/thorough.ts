/**
 * What a test tries: all of it when NFIO_THOROUGH is set, else a sample, evenly spread.
 *
 * @param size how many are in a sample.
 */
export function sample<T>(all: readonly T[], size: number): readonly T[] {
  if (process.env['NFIO_THOROUGH'] || all.length <= size) return all;
  return Array.from({ length: size }, (_, index) => all[Math.floor((index * all.length) / size)] as T);
}
