import type { RegularSpec } from './file-spec.ts';
import type { ObjectView } from './views.ts';

/** True for what cannot be restored from a copy: an object that lives, or that always does. */
export function isDeployed(view: ObjectView): boolean {
  return (view.kind !== 'vnf' && view.kind !== 'port') || view.deployed;
}

/** What a restored copy of an instance writes to files that act, and means nothing by. */
export function isIgnoredRestore(spec: RegularSpec, view: ObjectView): boolean {
  return spec.write === 'command' && !isDeployed(view);
}
