import type { Ownership } from '../domain/records.ts';
import { specialNodeid } from '../vfs/nodeid.ts';
import type { FileSpec } from './file-spec.ts';
import { sizeOf, streamStats } from './special-content.ts';
import type { Tree } from './tree.ts';
import type { ObjectView } from './views.ts';

/** Attributes in the shape of fuse_attr (fuse.h), times in milliseconds since 1970. */
export interface SpecialAttributes {
  ino: number;
  size: number;
  blocks: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  blksize: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
}

/** A special file, who looks at it, and its size where that was asked for, bytes. */
export interface Described {
  readonly view: ObjectView;
  readonly spec: FileSpec;
  readonly uid: number;
  readonly size?: number | undefined;
}

const typeBits = { directory: 0o040000, backed: 0o040000, file: 0o100000, link: 0o120000 } as const;

/** Reused for every answer: the hot path allocates nothing. Copy what is to be kept. */
const answer: SpecialAttributes = {
  ino: 0,
  size: 0,
  blocks: 0,
  mode: 0,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  blksize: 4096,
  atimeMs: 0,
  mtimeMs: 0,
  ctimeMs: 0,
  birthtimeMs: 0,
};

/** Attributes of a special file of the tree. `size`: its length where that was asked for. Good until the next call. */
export function attributesOf(tree: Tree, { view, spec, uid, size }: Described): SpecialAttributes {
  const directory = spec.type === 'directory' || spec.type === 'backed';
  const stream = spec.type === 'file' && spec.content === 'stream' ? streamStats(view, spec, uid) : undefined;
  putOwner(view, spec);
  answer.ino = specialNodeid(view.serial, spec.index);
  answer.size = size ?? stream?.size ?? sizeOf(view, spec, uid);
  answer.nlink = directory ? 2 : 1;
  const timeMs = directory ? tree.directoryChangedMs(view, spec.path) : (stream?.mtimeMs ?? view.changedMs);
  answer.atimeMs = timeMs;
  answer.mtimeMs = timeMs;
  answer.ctimeMs = timeMs;
  answer.birthtimeMs = view.createdMs;
  return answer;
}

/** Whose a special file is, and its mode with the type. Good until the next call. */
export function ownershipOf(view: ObjectView, spec: FileSpec): Ownership {
  putOwner(view, spec);
  return answer;
}

function putOwner(view: ObjectView, spec: FileSpec): void {
  const own = view.ownership[spec.path];
  answer.mode = typeBits[spec.type] | ((own === undefined ? defaultMode(view, spec) : own.mode) & 0o7777);
  answer.uid = own === undefined ? view.uid : own.uid;
  answer.gid = own === undefined ? view.gid : own.gid;
}

function defaultMode(view: ObjectView, spec: FileSpec): number {
  return spec.path === '' ? view.mode : spec.mode;
}
