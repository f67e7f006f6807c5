import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { checkNode, oldestNode } from '../../src/node-version.ts';

const root = join(import.meta.dirname, '..', '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly engines: { readonly node: string };
  readonly files: readonly string[];
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

function isPacked(path: string): boolean {
  return manifest.files.some((entry) => path === entry || path.startsWith(`${entry}/`));
}

test('the package holds what its pages link to', () => {
  const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).filter(isPacked);
  assert.ok(pages.includes('README.md') && pages.includes('ARCHITECTURE.md'));
  const missing = pages.flatMap((page) => {
    const links = [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)\s#:]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    const targets = links.map((target) => relative(root, join(root, dirname(page), target)));
    return targets.filter((target) => !isPacked(target)).map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(missing, []);
});

test('what package.json names is there, in the sources that it is built from', () => {
  for (const name of manifest.files.filter((each) => each !== 'dist')) assert.ok(statSync(join(root, name)).size > 0, name);
  for (const entry of Object.values(manifest.exports)) {
    for (const target of Object.values(entry)) {
      const source = target.replace('./dist/', './src/').replace(/(\.d)?\.[jt]s$/, '.ts');
      assert.ok(existsSync(join(root, source)), target);
    }
    // The first condition that holds counts: a Node.js that knows none of the others must get the file that it can read.
    assert.deepEqual(Object.keys(entry), ['types', 'nfio-source', 'module-sync', 'default']);
    assert.equal(entry['default'], './dist/old-node.js');
  }
});

test('an old Node.js is told which one is needed', () => {
  assert.equal(manifest.engines.node, `>=${oldestNode}`);
  assert.match(readFileSync(join(root, 'bin', 'nfio'), 'utf8'), new RegExp(`^const wanted = ${oldestNode};$`, 'm'));
  for (const version of ['18.20.8', '20.19.0', '22.23.3']) {
    assert.throws(() => checkNode(version), {
      message: new RegExp(`^nfio needs Node\\.js ${oldestNode} or newer, and this is ${version}\\. Install it: `),
    });
  }
  checkNode('24.0.0');
  checkNode('100.1.2');
});
