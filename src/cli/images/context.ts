import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { tarEnd, tarHeader, tarPadding } from '../../hypervisor/docker/tar.ts';

/** Where the package keeps the Dockerfiles: images/TYPE/Dockerfile. */
export const imagesDirectory = join(import.meta.dirname, '..', '..', '..', 'images');

/** The types that have a Dockerfile. */
export async function buildableTypes(): Promise<readonly string[]> {
  const entries = await readdir(imagesDirectory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/**
 * What an engine is sent to build from: a tar archive of the files in a directory, small and few. Times and owners are left out, so that the
 * engine finds its earlier layers again on whatever machine the package is.
 */
export async function buildContext(directory: string): Promise<Readable> {
  const parts: Uint8Array[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name);
    const stats = await lstat(path);
    if (!stats.isFile()) continue;
    const content = await readFile(path);
    const mode = stats.mode & 0o111 ? 0o755 : 0o644;
    parts.push(tarHeader({ path: name, type: 'file', mode, uid: 0, gid: 0, size: content.length, mtimeMs: 0 }));
    parts.push(content, tarPadding(content.length));
  }
  return Readable.from([Buffer.concat([...parts, tarEnd])]);
}
