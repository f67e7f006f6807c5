import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Compares the machine with how it was; resolves to what was left behind, or undefined. */
export type LeakCheck = () => Promise<string | undefined>;

interface Leaks {
  snapshotWorld(): unknown;
  assertNoLeaks(before: unknown): unknown;
}

/** Remembers how the machine is before the tests. */
export async function startLeakCheck(): Promise<LeakCheck> {
  const path = join(import.meta.dirname, '..', 'test', 'support', 'leaks.ts');
  if (!existsSync(path)) return async () => undefined;
  const leaks = (await import(pathToFileURL(path).href)) as Leaks;
  const before = await leaks.snapshotWorld();
  return async () => {
    try {
      await leaks.assertNoLeaks(before);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
}
