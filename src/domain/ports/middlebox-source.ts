import type { Middlebox } from '../middlebox.ts';

/** Where middlebox modules come from. */
export interface MiddleboxSource {
  /**
   * The module of a type, its hooks guarded: one that throws or never ends rejects with BrokenModuleError.
   *
   * @throws UnknownTypeError (ENOSYS), MalformedModuleError (ENOEXEC), BrokenModuleError (EIO)
   */
  load(type: string): Promise<Middlebox>;
}
