// `npm test [-- FILE…]`: format, lint, layers, types, then the tests of all levels (or of the files named), one summary.
import { checks, runCheck } from './checks.ts';
import { runTests } from './run-tests.ts';
import { needsRoot, selectTestFiles } from './test-files.ts';

const ci = Boolean(process.env['CI']);
const isRoot = process.getuid?.() === 0;
const named = process.argv.slice(2);

/** Whether all checks pass. Every one is run, so that one visit shows all there is to mend. */
function passesChecks(): boolean {
  return checks.map((check) => runCheck(check)).every((passed) => passed);
}

async function main(): Promise<boolean> {
  const checked = named.length > 0 || passesChecks();
  if (!isRoot) {
    console.log('Not root: only the unit and wire tests run. The others make namespaces and mounts; run them with: sudo npm test');
  }
  const files = selectTestFiles(named, { isRoot });
  const tested = await runTests(files, { skipsFail: ci, checkLeaks: isRoot && files.some(needsRoot) });
  if (ci && !isRoot) console.error('In CI every level has to run, and that needs root.');
  return checked && tested && !(ci && !isRoot);
}

process.exitCode = (await main()) ? 0 : 1;
