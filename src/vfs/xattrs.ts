import type { PathLike } from 'node:fs';
import { textOfLatin1 } from '../fuse/byte-names.ts';
import type { SystemCalls } from './system-calls.ts';
import type { UserNode } from './user-node.ts';

/** The access control lists of a file, as extended attributes (acl(5), xattr(7)). */
const accessList = 'system.posix_acl_access';
const defaultList = 'system.posix_acl_default';

/** Calls `use` with a path for a file. */
type WithFile = (node: UserNode, use: (path: PathLike) => Buffer) => Buffer;

/** True for attributes that are kept: those of users, and access control lists. Those of security modules and of overlays are of this machine. */
export function isKept(name: string): boolean {
  return name === accessList || name === defaultList || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

/**
 * Extended attributes of user files. Most files have none, and `ls -l` asks for those of each: what names there are is remembered as long as the kernel knows the file, where only this mount
 * changes it.
 */
export class Xattrs {
  readonly #calls: SystemCalls;
  readonly #withFile: WithFile;
  readonly #names = new WeakMap<UserNode, ReadonlySet<string>>();

  constructor(calls: SystemCalls, withFile: WithFile) {
    this.#calls = calls;
    this.#withFile = withFile;
  }

  /** @throws ENODATA where there is no such attribute. */
  get(node: UserNode, name: string): Buffer {
    if (!this.names(node).has(name)) throw Object.assign(new Error('no such attribute'), { code: 'ENODATA' });
    return this.#make(node, (path) => this.#calls.make('getxattr', path, name));
  }

  names(node: UserNode): ReadonlySet<string> {
    const known = this.#names.get(node);
    if (known !== undefined) return known;
    const list = this.#make(node, (path) => this.#calls.make('listxattr', path)).toString('latin1');
    const names = new Set(list.split('\0').map(textOfLatin1).filter(isKept));
    if (node.backing.guest === undefined) this.#names.set(node, names);
    return names;
  }

  /** @param value what it is set to; `flags` as setxattr(2). @throws EOPNOTSUPP for one that is not kept. */
  set(node: UserNode, name: string, { value, flags }: { readonly value: Uint8Array; readonly flags: number }): void {
    if (!isKept(name)) throw Object.assign(new Error('not kept'), { code: 'EOPNOTSUPP' });
    this.#names.delete(node);
    this.#make(node, (path) => this.#calls.make('setxattr', path, name, flags, value));
  }

  remove(node: UserNode, name: string): void {
    if (!isKept(name)) throw Object.assign(new Error('no such attribute'), { code: 'ENODATA' });
    this.#names.delete(node);
    this.#make(node, (path) => this.#calls.make('removexattr', path, name));
  }

  /** True for a directory with an access control list that what is made in it inherits, whatever the umask. */
  isInherited(directory: UserNode): boolean {
    return directory.backing.guest === undefined && this.names(directory).has(defaultList);
  }

  /** A file was made in a directory: what it has is what it inherits. */
  made(node: UserNode, { inherits }: { readonly inherits: boolean }): void {
    if (inherits || node.backing.guest !== undefined) this.#names.delete(node);
    else this.#names.set(node, none);
  }

  #make(node: UserNode, call: (path: PathLike) => Buffer): Buffer {
    const [fd] = node.fds;
    return fd === undefined ? this.#withFile(node, call) : call(`/proc/self/fd/${fd}`);
  }
}

const none: ReadonlySet<string> = new Set();
