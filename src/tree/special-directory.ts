import { type DirectorySpec, type FileSpec, portLinkIndex } from './file-spec.ts';
import { fileAt, topOf } from './files.ts';
import type { Tree } from './tree.ts';
import type { ObjectView } from './views.ts';

/** A name in a special directory, and what it names. */
export interface Listed {
  readonly name: string;
  readonly view: ObjectView;
  readonly spec: FileSpec;
}

/** Everything in a special directory: its fixed files, then the objects in it. */
export function listDirectory(tree: Tree, view: ObjectView, spec: DirectorySpec): Listed[] {
  const fixed = [...spec.children.values()]
    .filter((child) => !isRemoved(view, child))
    .map((child) => ({ name: child.name, view, spec: child }));
  return [...fixed, ...objectsIn(tree, view, spec)];
}

/** What a name in a special directory names, undefined when there is no such name. */
export function findInDirectory(
  tree: Tree,
  place: { readonly view: ObjectView; readonly spec: DirectorySpec; readonly name: string },
): Listed | undefined {
  const { view, spec, name } = place;
  const fixed = spec.children.get(name);
  if (fixed !== undefined) return isRemoved(view, fixed) ? undefined : { name, view, spec: fixed };
  if (spec.listing === undefined) return undefined;
  const child = tree.listed(view.serial, spec.listing).get(name);
  return child === undefined || isRemoved(child, shownAs(child, spec)) ? undefined : { name, view: child, spec: shownAs(child, spec) };
}

/** True for a file its owner removed from an undeployed VNF, or on the way to removing another object; making it again brings it back. */
export function isRemoved(view: ObjectView, spec: FileSpec): boolean {
  return 'hidden' in view && view.hidden.length > 0 && view.hidden.includes(spec.path);
}

function* objectsIn(tree: Tree, view: ObjectView, spec: DirectorySpec): Iterable<Listed> {
  if (spec.listing === undefined) return;
  for (const [name, child] of tree.listed(view.serial, spec.listing)) {
    const shown = shownAs(child, spec);
    if (!isRemoved(child, shown)) yield { name, view: child, spec: shown };
  }
}

/** An object is itself where it lives, and a link where others list it. */
function shownAs(child: ObjectView, directory: DirectorySpec): FileSpec {
  return directory.listing === 'link' ? (fileAt(child, portLinkIndex) as FileSpec) : topOf(child);
}
