import { globSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');

/** The levels of tests, in the order they run; see CONTRIBUTING.md. */
const levels = [
  { name: 'unit', needsRoot: false },
  { name: 'wire', needsRoot: false },
  { name: 'contract', needsRoot: true },
  { name: 'integration', needsRoot: true },
  { name: 'conformance', needsRoot: true },
  { name: 'security', needsRoot: true },
];

/** Paths of the test files to run: those named, else all of the levels that can run. */
export function selectTestFiles(named: readonly string[], { isRoot }: { readonly isRoot: boolean }): readonly string[] {
  if (named.length > 0) return named.map((path) => resolve(path));
  return levels
    .filter((level) => isRoot || !level.needsRoot)
    .flatMap((level) => globSync(`test/${level.name}/**/*.test.ts`, { cwd: root }).sort())
    .map((path) => join(root, path));
}

/** Whether a test file belongs to a level that needs root. */
export function needsRoot(path: string): boolean {
  const level = relative(join(root, 'test'), path).split('/')[0];
  return levels.find((candidate) => candidate.name === level)?.needsRoot ?? true;
}
