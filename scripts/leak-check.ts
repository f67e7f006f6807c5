import { setTimeout as sleep } from 'node:timers/promises';
import { snapshotWorld, type World } from '../test/support/leaks.ts';

/** Compares the machine with how it was; resolves to what was left behind, or undefined. */
export type LeakCheck = () => Promise<string | undefined>;

/** What ends by itself, such as the last process of a test, gets this long. */
const graceMs = 2000;
const mostShown = 20;

/** Remembers how the machine is before the tests. What disappears meanwhile is no leak. */
export function startLeakCheck(): LeakCheck {
  const before = snapshotWorld();
  return async () => {
    const deadline = performance.now() + graceMs;
    for (;;) {
      const left = leftSince(before);
      if (left.length === 0) return undefined;
      if (performance.now() > deadline) return describe(left);
      await sleep(100);
    }
  };
}

function describe(left: readonly string[]): string {
  const more = left.length > mostShown ? [`  and ${left.length - mostShown} more`] : [];
  return [...left.slice(0, mostShown), ...more].join('\n');
}

function leftSince(before: World): readonly string[] {
  const kinds = Object.entries(snapshotWorld());
  return kinds.flatMap(([kind, things]) => added(things, before[kind] ?? []).map((thing) => `  ${kind}: ${thing}`));
}

/** What is in the first list more often than in the second. */
function added(after: readonly string[], before: readonly string[]): readonly string[] {
  const known = [...before];
  return after.filter((thing) => {
    const index = known.indexOf(thing);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
}
