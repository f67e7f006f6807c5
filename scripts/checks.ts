import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** A check of the sources that needs no running part. */
export interface Check {
  readonly name: string;
  readonly argv: readonly string[];
}

/** The checks of `npm test`. Layers and import cycles are lint rules; see biome.json and docs/adr/0005. */
export const checks: readonly Check[] = [
  { name: 'format, lint, layers', argv: ['biome', 'check', '--error-on-warnings', '--max-diagnostics=50'] },
  { name: 'types', argv: ['tsc', '--pretty', 'false'] },
];

/** Runs one check; its output is shown only when it fails. */
export function runCheck(check: Check): boolean {
  const started = performance.now();
  const [program, ...args] = check.argv;
  const result = spawnSync(join(root, 'node_modules', '.bin', program ?? ''), args, { cwd: root, encoding: 'utf8' });
  const passed = result.status === 0;
  console.log(`${passed ? '✔' : '✖'} ${check.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (!passed) console.log(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
  return passed;
}
