import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const project = mkdtempSync(join(tmpdir(), 'nfio-layers-'));
after(() => rmSync(project, { recursive: true, force: true }));

/** What each layer may import; what is not listed is forbidden. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  domain: ['errors'],
  fuse: [],
  vfs: ['errors', 'fuse'],
  state: ['errors', 'domain'],
  network: ['errors', 'domain'],
  hypervisor: ['errors', 'domain', 'network'],
  middleboxes: ['errors', 'domain'],
  orchestrator: ['errors', 'domain'],
  tree: ['errors', 'domain', 'vfs', 'fuse'],
};

/** Those that see all others but themselves and what is after them. */
const top = ['daemon', 'library', 'cli'];
const layers = [...Object.keys(allowed), ...top];

function mayImport(layer: string, other: string): boolean {
  return top.includes(layer) ? layers.indexOf(other) < layers.indexOf(layer) : (allowed[layer]?.includes(other) ?? false);
}

function put(path: string, text: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text);
}

/** Files with complaints of a rule, when our configuration meets the project made with put(). */
function complaints(rule: string): readonly string[] {
  copyFileSync(join(root, 'biome.json'), join(project, 'biome.json'));
  const args = ['lint', `--only=${rule}`, '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none'];
  const result = spawnSync(join(root, 'node_modules', '.bin', 'biome'), args, { cwd: project, encoding: 'utf8' });
  const report = JSON.parse(result.stdout) as { diagnostics: { category: string; location: { path: string } }[] };
  return report.diagnostics.filter((entry) => entry.category === `lint/${rule}`).map((entry) => entry.location.path);
}

describe('layers', () => {
  test('every folder of src is a layer with a rule', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.deepEqual(
      folders.map((entry) => entry.name).filter((name) => !layers.includes(name)),
      [],
    );
  });

  test('an import that does not point down fails, one that does passes', () => {
    const expected: string[] = [];
    for (const layer of layers) {
      for (const other of layers.filter((name) => name !== layer)) {
        const path = `src/${layer}/imports-${other}.ts`;
        const deep = `src/${layer}/parts/imports-${other}.ts`;
        put(path, `export type { Thing } from '../${other}/index.ts';\n`);
        put(deep, `export { thing } from '../../${other}/index.ts';\n`);
        if (!mayImport(layer, other)) expected.push(path, deep);
      }
    }
    assert.deepEqual([...complaints('style/noRestrictedImports')].sort(), expected.sort());
  });

  test('fuse takes the errno table and nothing else of errors; drivers do not know each other', () => {
    rmSync(join(project, 'src'), { recursive: true, force: true });
    put('src/fuse/errno-user.ts', "export { Errno } from '../errors/errno.ts';\n");
    put('src/fuse/abi/errno-user.ts', "export { Errno } from '../../errors/errno.ts';\n");
    put('src/hypervisor/docker/peer.ts', "export { start } from '../netns/driver.ts';\n");
    put('src/hypervisor/netns/own.ts', "export { start } from './driver.ts';\nexport { fabric } from '../../network/fabric.ts';\n");
    assert.deepEqual(complaints('style/noRestrictedImports'), ['src/hypervisor/docker/peer.ts']);
  });

  test('a cycle fails, also one of types', () => {
    rmSync(join(project, 'src'), { recursive: true, force: true });
    put('src/domain/hen.ts', "import type { Egg } from './egg.ts';\nexport interface Hen { readonly lays: Egg }\n");
    put('src/domain/egg.ts', "import type { Hen } from './hen.ts';\nexport interface Egg { readonly becomes: Hen }\n");
    assert.deepEqual([...complaints('suspicious/noImportCycles')].sort(), ['src/domain/egg.ts', 'src/domain/hen.ts']);
  });
});
