import { closeSync, constants, fstatSync, openSync, type PathLike } from 'node:fs';
import { pathArgument } from '../fuse/byte-names.ts';
import { O_PATH } from './change-attributes.ts';
import { deviceOf, type GuestFiles } from './guest-files.ts';
import type { UserNode } from './user-node.ts';

const directoryFlags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Calls `use` with a path for a user file, or for `name` in it. No symbolic link on the way is followed. In the root of a guest
 * the path leads through a descriptor of the directory (`/proc/self/fd/N/name`), so that a directory swapped for a link in
 * the middle of the walk gains nothing, and that directory is in the file systems of the guest's root. The last component may be a link: open it with O_NOFOLLOW.
 *
 * @throws ENOENT when the file has no name left, RootClosedError.
 */
export function withPath<T>(node: UserNode, name: string | undefined, use: (path: PathLike) => T): T {
  const components = componentsOf(node);
  if (name !== undefined) components.push(name);
  const { guest } = node.backing;
  const top = node.backing.path();
  const last = components.at(-1);
  if (guest === undefined) return use(pathArgument([top, ...components].join('/')));
  if (last === undefined) return use(top);
  return walk(top, { components: components.slice(0, -1), guest }, (directory) => use(pathArgument(`${directory}/${last}`)));
}

/** Calls `use` with the path of a directory of user files. In the root of a guest it is that of a descriptor. */
export function withDirectory<T>(node: UserNode, use: (path: string) => T): T {
  const components = componentsOf(node);
  const { guest } = node.backing;
  const top = node.backing.path();
  return guest === undefined ? use([top, ...components].join('/')) : walk(top, { components, guest }, use);
}

/** The same in what the guest itself wrote. @throws ENOENT where it wrote nothing. */
export function withWritten<T>(node: UserNode, written: string, use: (path: string) => T): T {
  return walk(written, { components: componentsOf(node), guest: undefined }, use);
}

function componentsOf(node: UserNode): string[] {
  const components = node.components();
  if (components === undefined) throw Object.assign(new Error('the file has no name left'), { code: 'ENOENT' });
  return components;
}

function walk<T>(
  top: string,
  { components, guest }: { readonly components: readonly string[]; readonly guest: GuestFiles | undefined },
  use: (directory: string) => T,
): T {
  let fd = openSync(top, directoryFlags);
  try {
    for (const component of components) {
      const next = openSync(pathArgument(`/proc/self/fd/${fd}/${component}`), directoryFlags);
      closeSync(fd);
      fd = next;
    }
    if (guest !== undefined && fstatSync(fd).dev !== deviceOf(guest.devices(), components)) {
      throw Object.assign(new Error('something is mounted there'), { code: 'ESTALE' });
    }
    return use(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}
