import { isDeepStrictEqual } from 'node:util';
import type { ModuleFileAttributes } from '../domain/middlebox.ts';
import { recordKey, type VnfRecord } from '../domain/records.ts';
import { hookInstance } from './hook-instance.ts';
import type { World } from './world.ts';

/**
 * Asks the getattr hook of a VNF's module for the attributes of the module's files, and keeps them. A hook that fails says nothing; events tell, once while it fails alike.
 *
 * @returns true when they differ from what was known.
 */
export async function refreshFileAttributes(world: World, vnf: VnfRecord): Promise<boolean> {
  const { files = [], hooks } = world.loadedMiddlebox(vnf.type) ?? {};
  if (hooks?.getattr === undefined || files.length === 0) return false;
  const { fileAttributes, attributeFailures } = world.runtime(vnf.serial);
  const instance = hookInstance(world, vnf, new AbortController().signal);
  const ask = async (path: string): Promise<ModuleFileAttributes | undefined> => {
    try {
      const answer = await hooks.getattr?.(instance, path);
      attributeFailures.delete(path);
      return answer;
    } catch (error) {
      const why = (error as Error).message;
      if (attributeFailures.get(path) !== why) world.note({ path: `${recordKey(vnf)}/${path}`, what: 'getattr failed', why });
      attributeFailures.set(path, why);
      return undefined;
    }
  };
  const answers = await Promise.all(files.map(async ({ path }) => [path, (await ask(path)) ?? {}] as const));
  const changed = answers.filter(([path, attributes]) => !isDeepStrictEqual(fileAttributes.get(path) ?? {}, attributes));
  for (const [path, attributes] of changed) fileAttributes.set(path, attributes);
  return changed.length > 0;
}
