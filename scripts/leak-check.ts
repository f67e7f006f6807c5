import { snapshotWorld, type World } from '../test/support/leaks.ts';

/** Compares the machine with how it was; the result is what was left behind, or undefined. */
export type LeakCheck = () => string | undefined;

/** Remembers how the machine is before the tests. What disappears meanwhile is no leak. */
export function startLeakCheck(): LeakCheck {
  const before = snapshotWorld();
  return () => {
    const left = Object.entries(snapshotWorld()).flatMap(([kind, things]) =>
      added(things, before[kind] ?? []).map((thing) => `  ${kind}: ${thing}`),
    );
    return left.length === 0 ? undefined : left.join('\n');
  };
}

/** What is in the second list more often than in the first. */
function added(after: World[string], before: World[string]): readonly string[] {
  const known = [...before];
  return after.filter((thing) => {
    const index = known.indexOf(thing);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
}
