import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Entry } from '../../../hypervisor/libvirt/cpio-archive.ts';
import { run } from './packages.ts';
import { moduleDirectories, moduleFiles } from './vm-init.ts';

/** Indices that modprobe reads. */
const indices = ['modules.dep', 'modules.alias', 'modules.softdep', 'modules.builtin', 'modules.order'] as const;

/** The kernel modules of the image, with those they need, and modprobe's indices of them. */
export async function modulesOf(root: string, release: string, signal: AbortSignal): Promise<Entry[]> {
  await run(['chroot', root, '/sbin/depmod', release], signal);
  const directory = `lib/modules/${release}`;
  const needs = parseDependencies(await readFile(join(root, directory, 'modules.dep'), 'utf8'));
  const wanted = new Set<string>();
  for (const [path, dependencies] of needs) if (isWanted(path)) for (const each of [path, ...dependencies]) wanted.add(each);
  const file = async (name: string): Promise<Entry> => {
    const content = await readFile(join(root, directory, name));
    return { kind: 'file', path: `${directory}/${name}`, content, executable: false };
  };
  return await Promise.all([...indices, ...wanted].map(file));
}

/** modules.dep: each module, and behind the colon all it needs. */
function parseDependencies(text: string): Map<string, string[]> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [path = '', rest = ''] = line.split(':');
      return [path, rest.split(' ').filter((each) => each !== '')];
    }),
  );
}

function isWanted(path: string): boolean {
  const name = basename(path).replace(/\.ko.*$/, '');
  return moduleFiles.some((each) => each === name) || moduleDirectories.some((each) => path.startsWith(`kernel/${each}/`));
}
