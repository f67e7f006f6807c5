import { relative } from 'node:path';

/** The events of a test run that matter here; see "Class: TestsStream" in the manual of node:test. */
export type TestEvent =
  | { readonly type: 'test:pass' | 'test:fail'; readonly data: TestOutcome }
  | { readonly type: 'test:diagnostic'; readonly data: { readonly message: string; readonly file?: string } }
  | { readonly type: 'test:summary'; readonly data: FileSummary }
  | { readonly type: 'test:start' | 'test:stdout' | 'test:stderr' | 'test:plan'; readonly data: { readonly file?: string } };

interface TestOutcome {
  readonly name: string;
  readonly file?: string;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
}

interface FileSummary {
  readonly file?: string;
  readonly success: boolean;
  readonly duration_ms: number;
  readonly counts: { readonly tests: number };
}

/** Events of tests that pass are of no interest: the line of their file stands for them. */
const quiet = new Set(['test:pass', 'test:start', 'test:enqueue', 'test:dequeue', 'test:complete', 'test:plan']);

/** Passes on failures, skips, output and the summary; prints one line for each file. */
export async function* condense(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  for await (const event of source) {
    if (event.type === 'test:summary' && event.data.file !== undefined) console.log(fileLine(event.data.file, event.data));
    const skipped = event.type === 'test:pass' && event.data.skip !== undefined;
    const ofFile = event.type === 'test:diagnostic' && event.data.file !== undefined;
    if (skipped || !(quiet.has(event.type) || ofFile)) yield event;
  }
}

function fileLine(file: string, summary: FileSummary): string {
  const seconds = (summary.duration_ms / 1000).toFixed(1);
  return `${summary.success ? '✔' : '✖'} ${relative(process.cwd(), file)} (${summary.counts.tests} tests, ${seconds} s)`;
}
