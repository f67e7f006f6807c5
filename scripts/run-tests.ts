import { pipeline } from 'node:stream/promises';
import { run, type TestsStream } from 'node:test';
import { spec } from 'node:test/reporters';
import { condense, type TestEvent } from './condense.ts';
import { type LeakCheck, startLeakCheck } from './leak-check.ts';

/** How strict a run of the tests is. */
export interface RunOptions {
  /** A skipped test fails the run, as in CI. */
  readonly skipsFail: boolean;
  /** Compare the machine before and after: no mount, namespace, link, table, cgroup or process may be left. */
  readonly checkLeaks: boolean;
}

/** Two test files at a time: what two cores bear, and what keeps hard timeouts in tests honest. */
const concurrency = 2;
/** A file that takes longer hangs: the longest take a quarter of that on an idle machine, more on a slow one. */
const fileTimeoutMs = 400_000;
/** With NFIO_THOROUGH set some tests try all there is to try, instead of a sample of it: they take as long as they take. */
const isThorough = Boolean(process.env['NFIO_THOROUGH']);

/** Counts what node:test's exit status alone does not tell. */
class Verdict {
  failed = 0;
  readonly skipped: string[] = [];

  note(event: TestEvent): void {
    if (event.type === 'test:fail' && event.data.todo === undefined) this.failed += 1;
    if (event.type === 'test:pass' && event.data.skip !== undefined) this.skipped.push(`${event.data.name}: ${event.data.skip}`);
  }
}

/**
 * Runs test files, each in a process of its own, and prints a line for each file, every failure, and node:test's summary last.
 * Resolves to whether all is well.
 */
export async function runTests(files: readonly string[], options: RunOptions): Promise<boolean> {
  if (files.length === 0) {
    console.log('No test files.');
    return true;
  }
  const leaks = options.checkLeaks ? startLeakCheck() : undefined;
  const verdict = new Verdict();
  let clean = true;

  // A file whose tests have ended ends, whatever it still holds: the leak check tells what that was.
  const events: TestsStream = run({ files, concurrency, timeout: isThorough ? Infinity : fileTimeoutMs, forceExit: true });
  const judged = async function* (source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
    for await (const event of condense(source)) {
      verdict.note(event);
      if (isFirstOfSummary(event)) clean = await finish(verdict, leaks, options);
      yield event;
    }
  };
  await pipeline(events, judged, new spec(), process.stdout, { end: false });
  return verdict.failed === 0 && clean && !(options.skipsFail && verdict.skipped.length > 0);
}

/** node:test ends a run with diagnostics that belong to no file; the first is the number of tests. */
function isFirstOfSummary(event: TestEvent): boolean {
  return event.type === 'test:diagnostic' && event.data.file === undefined && event.data.message.startsWith('tests ');
}

/** Says, before the summary, what the summary does not. Resolves to whether nothing leaked. */
async function finish(verdict: Verdict, leaks: LeakCheck | undefined, options: RunOptions): Promise<boolean> {
  if (verdict.skipped.length > 0) {
    console.log(`\nSkipped${options.skipsFail ? ' (a failure in CI)' : ''}:`);
    for (const line of verdict.skipped) console.log(`  ${line}`);
  }
  const left = await leaks?.();
  if (left !== undefined) console.log(`\n✖ the tests left something behind:\n${left}`);
  return left === undefined;
}
