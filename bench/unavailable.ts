/** Thrown while setting something up that this machine does not have; the rows that need it are skipped with this reason. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}
