import { specialNodeid } from '../vfs/nodeid.ts';
import type { FileSpec } from './file-spec.ts';
import { sizeOf } from './special-content.ts';
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

/** Attributes of a special file. `size`: its length where that was asked for. */
export function attributesOf(view: ObjectView, spec: FileSpec, size = sizeOf(view, spec)): SpecialAttributes {
  const own = view.ownership[spec.path];
  const directory = spec.type === 'directory' || spec.type === 'backed';
  answer.ino = specialNodeid(view.serial, spec.index);
  answer.size = size;
  answer.mode = typeBits[spec.type] | ((own === undefined ? defaultMode(view, spec) : own.mode) & 0o7777);
  answer.nlink = directory ? 2 : 1;
  answer.uid = own === undefined ? view.uid : own.uid;
  answer.gid = own === undefined ? view.gid : own.gid;
  // What is in a directory hardly changes, what is in its files does: tar and others take a new time for a change under their hands.
  const timeMs = directory ? view.createdMs : view.changedMs;
  answer.atimeMs = timeMs;
  answer.mtimeMs = timeMs;
  answer.ctimeMs = timeMs;
  answer.birthtimeMs = view.createdMs;
  return answer;
}

function defaultMode(view: ObjectView, spec: FileSpec): number {
  return spec.path === '' ? view.mode : spec.mode;
}
