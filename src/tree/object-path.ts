import type { Tree } from './tree.ts';
import type { ObjectView } from './views.ts';

/** Directories of the root that objects are in. */
const homes = { type: 'nf-types/', network: 'networks/', host: 'hosts/', quota: 'quotas/', chain: 'chns/' } as const;

/** Path of an object below the mountpoint; empty for the root, and for what has been removed. */
export function objectPath(tree: Tree, view: ObjectView): string {
  if (view.kind === 'root') return '';
  if (view.kind in homes) return homes[view.kind as keyof typeof homes] + view.name;
  const parent = tree.get(view.parent);
  const inside = view.kind === 'port' ? 'ports/' : '';
  return parent === undefined ? view.name : `${objectPath(tree, parent)}/${inside}${view.name}`;
}

/** Serial of the object whose `error` tells of an object: that of a port is its VNF's, that of a hop its service chain's. Undefined where none does. */
export function errorSerial(view: ObjectView): number | undefined {
  if (view.kind === 'port' || view.kind === 'hop') return view.parent;
  return view.kind === 'root' || view.kind === 'type' || view.kind === 'symlink' ? undefined : view.serial;
}
