import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildVnfImage } from '../../src/cli/images/libvirt/build.ts';

const sources = join(import.meta.dirname, '../../src/cli/images/libvirt');
const cache = '/var/cache/nfio-test';
const buildTimeoutMs = 150_000;

/** The image of the built-in types, as the sources make it now. Built when it has not been, and kept for later runs. */
export async function testVnfImage(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(sources).sort()) hash.update(readFileSync(join(sources, name)));
  const directory = join(cache, `vnf-${hash.digest('hex').slice(0, 12)}`);
  mkdirSync(cache, { recursive: true });
  if (!existsSync(directory)) await buildVnfImage(directory, AbortSignal.timeout(buildTimeoutMs));
  return directory;
}
