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

/** Passes on failures, skips and the summary; prints one line for each file, and what a file wrote only when it failed. */
export async function* condense(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const written = new Map<string, TestEvent[]>();
  for await (const event of source) {
    const file = event.data.file;
    if (file === undefined) {
      // The end of the run: what is left was written by files that ended without a summary.
      for (const events of written.values()) yield* events;
      written.clear();
      yield event;
    } else if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      written.set(file, [...(written.get(file) ?? []), event]);
    } else if (event.type === 'test:summary') {
      if (!event.data.success) yield* written.get(file) ?? [];
      written.delete(file);
      console.log(fileLine(file, event.data));
    } else if (isWorthShowing(event)) {
      yield event;
    }
  }
}

function isWorthShowing(event: TestEvent): boolean {
  return event.type === 'test:fail' || (event.type === 'test:pass' && event.data.skip !== undefined);
}

function fileLine(file: string, summary: FileSummary): string {
  const seconds = (summary.duration_ms / 1000).toFixed(1);
  return `${summary.success ? '✔' : '✖'} ${relative(process.cwd(), file)} (${summary.counts.tests} tests, ${seconds} s)`;
}
