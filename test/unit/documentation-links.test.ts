import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const pages = [...globSync('*.md', { cwd: root }), ...globSync('docs/**/*.md', { cwd: root })].sort();

/** Targets of a page's links within the repository, without anchors. */
function localLinks(page: string): readonly string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  return targets.filter((target) => !/^(https?:|mailto:|#)/.test(target)).map((target) => target.replace(/#.*/, ''));
}

test('every link between the pages leads somewhere', () => {
  assert.ok(pages.includes('README.md') && localLinks('README.md').length > 0);
  const dead = pages.flatMap((page) => {
    const missing = localLinks(page).filter((target) => !existsSync(join(root, dirname(page), target)));
    return missing.map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(dead, []);
});
