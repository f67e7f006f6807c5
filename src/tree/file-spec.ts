import type { ObjectView } from './views.ts';

/** Where the bytes of a file come from. */
export type Content =
  /** Text of the object's view, by path. */
  | 'text'
  /** A number the kernel or the hypervisor counts. */
  | 'counter'
  /** A file on this machine that grows: log, events, output of a command. */
  | 'stream'
  /** Asked of the middlebox module at each read. */
  | 'module'
  /** What a machine has, asked of its hypervisor at each read. */
  | 'report'
  /** What the steering of a service chain counts or finds out, asked of it at each read. */
  | 'steering';

/** What writing to a file does. */
export type WriteMeaning = 'setting' | 'action' | 'command' | 'module' | 'probe';

/** What a directory lists besides its fixed files. Entries are what users put into a service chain or a hop: hops, and links. */
export type Listing = 'type' | 'vnf' | 'port' | 'network' | 'host' | 'quota' | 'link' | 'chain' | 'entry';

interface BaseSpec {
  /** Its number in its object: part of the nodeid, so never given to another file. */
  readonly index: number;
  /** Path below the object; empty for the object's own directory. */
  readonly path: string;
  readonly name: string;
  readonly mode: number;
}

/** A special directory. */
export interface DirectorySpec extends BaseSpec {
  readonly type: 'directory';
  readonly children: ReadonlyMap<string, FileSpec>;
  readonly listing: Listing | undefined;
}

/** A special file. */
export interface RegularSpec extends BaseSpec {
  readonly type: 'file';
  readonly content: Content;
  /** undefined: it tells, and cannot be told. */
  readonly write: WriteMeaning | undefined;
}

/** A directory of user files, which is a directory on this machine. */
export interface BackedSpec extends BaseSpec {
  readonly type: 'backed';
}

/** A symbolic link that follows from the object. */
export interface LinkSpec extends BaseSpec {
  readonly type: 'link';
}

export type FileSpec = DirectorySpec | RegularSpec | BackedSpec | LinkSpec;

/** The fixed files of one kind of object. */
export interface ObjectSpec {
  readonly byIndex: readonly (FileSpec | undefined)[];
  /** Its own directory; of an object that is none, an empty one. */
  readonly top: DirectorySpec;
}

/** Index of every object's own directory. */
export const topIndex = 1;

/** Index of the directory that shows the root of a VNF's guest. */
export const rootIndex = 16;

/** Index of the link to a port in its network's ports directory. */
export const portLinkIndex = 40;

/** Index of the first file that a middlebox module adds. */
export const firstModuleIndex = 256;

/** The kinds of object. */
export type ObjectKind = ObjectView['kind'];
