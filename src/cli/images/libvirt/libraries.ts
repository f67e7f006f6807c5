import { run } from './packages.ts';

/**
 * The libraries that programs of an unpacked system load, the loader itself among them, found by that system's own loader.
 *
 * @param programs absolute paths in `root`.
 * @returns absolute paths in `root`.
 */
export async function librariesOf(root: string, programs: readonly string[], signal: AbortSignal): Promise<string[]> {
  const loader = '/lib64/ld-linux-x86-64.so.2';
  const found = new Set([loader]);
  for (const program of programs) {
    const listing = await run(['chroot', root, loader, '--list', program], signal);
    for (const [, path] of listing.matchAll(/=> (\/\S+) \(0x/g)) if (path !== undefined) found.add(path);
  }
  return [...found];
}
