import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Facts, Step } from './workload.ts';

/** Of a path that is about an owner. */
const ownerOf = 'owner of ';

/**
 * What is wrong in a mount after a loss of power.
 *
 * @param confirmed how many of the steps had returned: the one after them may be done, or in part, or whole or not at all if it is atomic.
 */
export function faultsIn(mountpoint: string, steps: readonly Step[], confirmed: number): string[] {
  const known: Facts = Object.assign({}, ...steps.slice(0, confirmed).map(({ facts }) => facts));
  const next = steps[confirmed];
  const underWay = next?.facts ?? {};
  const faults = Object.keys(known).filter((path) => !(path in underWay));
  const wrong = faults.flatMap((path) => difference(mountpoint, path, known[path]));
  if (next?.atomic !== true) return wrong;
  // Of what no step before it said anything, nothing is known.
  const [undone, done] = [before(known, underWay), underWay].map((facts) =>
    Object.keys(facts).flatMap((path) => difference(mountpoint, path, facts[path])),
  );
  return undone?.length === 0 || done?.length === 0 ? wrong : [...wrong, `half done: ${next.script}: ${[...(undone ?? [])].join('; ')}`];
}

function before(known: Facts, facts: Facts): Facts {
  return Object.fromEntries(Object.keys(facts).flatMap((path) => (path in known ? [[path, known[path]]] : [])));
}

function difference(mountpoint: string, path: string, wanted: string | undefined): string[] {
  const found = path.startsWith(ownerOf) ? owner(join(mountpoint, path.slice(ownerOf.length))) : shown(join(mountpoint, path));
  const isOwnersDefault = path.startsWith(ownerOf) && wanted === undefined && found === 'uid 0';
  return found === wanted || isOwnersDefault ? [] : [`${path} is ${found ?? 'missing'}, not ${wanted ?? 'missing'}`];
}

function owner(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `uid ${stats.uid}`;
}

function shown(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) return `-> ${readlinkSync(path)}`;
  return stats.isDirectory() ? 'a directory' : readFileSync(path, 'utf8').trimEnd();
}
