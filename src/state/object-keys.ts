import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unlessAbsent } from '../errors/index.ts';

/** Keys of all objects of a root, by its directories; types come before their VNFs. @throws as node:fs does */
export function objectKeys(root: string): string[] {
  const keys: string[] = [];
  for (const type of namesIn(root, 'nf-types')) {
    const key = `nf-types/${type}`;
    keys.push(key, ...namesIn(root, key).map((name) => `${key}/${name}`));
  }
  for (const kind of ['networks', 'hosts', 'quotas', 'chns']) keys.push(...namesIn(root, kind).map((name) => `${kind}/${name}`));
  return keys;
}

/** Directories of objects in one of a root. One that an older version did not have holds none. */
function namesIn(root: string, directory: string): string[] {
  const entries = unlessAbsent(() => readdirSync(join(root, directory), { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
}
