import { closeSync, constants, fstatSync, openSync, type PathLike } from 'node:fs';
import { O_PATH } from '../errors/index.ts';
import { byteLengthOfText, pathArgument } from '../fuse/byte-names.ts';
import { deviceOf, type GuestFiles } from './guest-files.ts';
import type { UserNode } from './user-node.ts';

/** PATH_MAX (linux/limits.h), with the NUL at the end; and how many bytes a character of UTF-16 takes at most. */
const pathMax = 4096;
const mostBytes = 3;

const directoryFlags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Calls `use` with a path for a user file, or for `name` in it. No symbolic link on the way is followed. In the root of a guest
 * the path leads through a descriptor of the directory (`/proc/self/fd/N/name`), so that a directory swapped for a link in
 * the middle of the walk gains nothing, and that directory is in the file systems of the guest's root. The last component may be a link: open it with O_NOFOLLOW.
 *
 * @throws ENOENT when the file has no name left, RootClosedError.
 */
export function withPath<T>(node: UserNode, name: string | undefined, use: (path: PathLike) => T): T {
  const { guest } = node.backing;
  if (guest === undefined) {
    const names = name === undefined ? componentsOf(node) : [...componentsOf(node), name];
    return withNames(node.backing.path(), names, use);
  }
  if (name !== undefined) return use(pathArgument(`${directoryPath(node, guest)}/${name}`));
  if (node.top) return use(node.backing.path());
  const link = node.newestLink;
  if (link === undefined) throw noName();
  return use(pathArgument(`${directoryPath(link.parent, guest)}/${link.name}`));
}

/** Calls `use` with the path of a directory of user files. In the root of a guest it is that of a descriptor. */
export function withDirectory<T>(node: UserNode, use: (path: PathLike) => T): T {
  const { guest } = node.backing;
  return guest === undefined ? withNames(node.backing.path(), componentsOf(node), use) : use(directoryPath(node, guest));
}

/** Calls `use` with a path for names below a directory, which leads through a descriptor where it would be longer than any system call takes. */
function withNames<T>(top: string, names: readonly string[], use: (path: PathLike) => T): T {
  const path = [top, ...names].join('/');
  if (!isTooLong(path)) return use(pathArgument(path));
  const fd = walk(openSync(top, directoryFlags), inSteps(names.slice(0, -1)));
  try {
    return use(pathArgument(`/proc/self/fd/${fd}/${names.at(-1)}`));
  } finally {
    closeSync(fd);
  }
}

/** Names joined to paths of some length. In config/ nobody but us changes what is on the way. */
function inSteps(names: readonly string[]): string[] {
  const steps: string[] = [];
  for (const name of names) {
    const last = steps.at(-1);
    if (last !== undefined && (last.length + name.length) * mostBytes < pathMax / 2) steps[steps.length - 1] = `${last}/${name}`;
    else steps.push(name);
  }
  return steps;
}

/** True for a path that system calls refuse. */
export function isTooLong(path: string): boolean {
  return path.length * mostBytes >= pathMax && byteLengthOfText(path) >= pathMax;
}

/** The same in what the guest itself wrote. @throws ENOENT where it wrote nothing. */
export function withWritten<T>(node: UserNode, written: string, use: (path: PathLike) => T): T {
  const fd = walk(openSync(written, directoryFlags), componentsOf(node));
  try {
    return use(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

function componentsOf(node: UserNode): string[] {
  const components = node.components();
  if (components === undefined) throw noName();
  return components;
}

function noName(): Error {
  return Object.assign(new Error('the file has no name left'), { code: 'ENOENT' });
}

/** Path of a directory in the root of a guest, by a descriptor that is held for a while. */
function directoryPath(node: UserNode, guest: GuestFiles): string {
  const top = node.backing.path();
  if (node.top) return top;
  const held = guest.held();
  const known = held.get(node.nodeid);
  if (known !== undefined) return `/proc/self/fd/${known}`;
  const components = componentsOf(node);
  const fd = walk(openSync(top, directoryFlags), components);
  if (fstatSync(fd).dev !== deviceOf(guest.devices(), components)) {
    closeSync(fd);
    throw Object.assign(new Error('something is mounted there'), { code: 'ESTALE' });
  }
  held.put(node.nodeid, fd);
  return `/proc/self/fd/${fd}`;
}

/** Goes down from a directory, which is closed, to another. */
function walk(top: number, components: readonly string[]): number {
  let fd = top;
  for (const component of components) {
    try {
      const next = openSync(pathArgument(`/proc/self/fd/${fd}/${component}`), directoryFlags);
      closeSync(fd);
      fd = next;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }
  return fd;
}
