import type { Entry } from '../fuse/attributes.ts';
import type { DescriptorShares } from '../vfs/descriptor-shares.ts';
import { indexOf, serialOf, specialNodeid } from '../vfs/nodeid.ts';
import { attributesOf } from './attributes.ts';
import type { DirectorySpec, FileSpec } from './file-spec.ts';
import { fileAt } from './files.ts';
import type { Forward } from './forwarded.ts';
import type { HandleNumbers } from './handles.ts';
import type { OpenFiles } from './open-files.ts';
import type { PollJournal } from './poll-journal.ts';
import type { RefusedRemovals } from './refused-removals.ts';
import type { ScratchFiles } from './scratch-files.ts';
import type { Tree } from './tree.ts';
import type { TreeWalkers } from './tree-walkers.ts';
import type { UnsavedJournal } from './unsaved-journal.ts';
import type { ObjectView } from './views.ts';

/** What special files need of their surroundings. */
export interface SpecialContext {
  readonly tree: Tree;
  readonly forward: Forward;
  readonly handles: HandleNumbers;
  readonly scratch: ScratchFiles;
  readonly open: OpenFiles;
  readonly descriptors: DescriptorShares;
  readonly polls: PollJournal;
  readonly unsaved: UnsavedJournal;
  readonly refused: RefusedRemovals;
  readonly walkers: TreeWalkers;
  /** How long the kernel may keep names and attributes. */
  readonly timeoutMs: number;
  /** The entry of a directory of user files (config/, rfs/), undefined when it is not there. */
  backedEntry(view: ObjectView, spec: FileSpec): Entry | undefined;
  /** The kernel was not told of it after all. */
  forgetBacked(nodeid: number): void;
}

/** Finds special files by nodeid, and tells the kernel of them. */
export class SpecialNodes {
  readonly #context: SpecialContext;
  /** Reused for every answer; the reply is encoded before it changes again. */
  readonly #entry = { nodeid: 0, generation: 0, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: undefined as unknown as Entry['attr'] };

  constructor(context: SpecialContext) {
    this.#context = context;
  }

  /** The object and the file of a nodeid. Throws ENOENT when the object has been removed. */
  file(nodeid: number): { view: ObjectView; spec: FileSpec } {
    const view = this.#context.tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec === undefined) throw Object.assign(new Error('removed'), { code: 'ENOENT' });
    return { view, spec };
  }

  /** The same for a directory. Throws ENOTDIR for anything else. */
  directory(nodeid: number): { view: ObjectView; spec: DirectorySpec } {
    const { view, spec } = this.file(nodeid);
    if (spec.type !== 'directory') throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
    return { view, spec };
  }

  /** What the kernel is told of a file, for who looks (`uid`); undefined for a directory of user files that is not there. Good until the next call. */
  entryOf(view: ObjectView, spec: FileSpec, uid: number): Entry | undefined {
    if (spec.type === 'backed') return this.#context.backedEntry(view, spec);
    const entry = this.#entry;
    entry.nodeid = specialNodeid(view.serial, spec.index);
    entry.generation = Math.floor(view.createdMs);
    entry.entryTimeoutMs = this.#context.timeoutMs;
    // Its size changes with what it shows.
    entry.attrTimeoutMs = spec.type === 'file' ? 0 : this.#context.timeoutMs;
    entry.attr = attributesOf(this.#context.tree, { view, spec, uid });
    return entry;
  }
}
