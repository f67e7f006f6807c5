import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';
import type { Backing } from './user-node.ts';

/**
 * Files of config/ that are open and have lost their last name. A server that takes the connection over has no descriptor of them, so that they get a name in a directory of
 * nf.io's own (as clients of NFS do, .nfsXXXX): their nodeid. It goes when the kernel forgets the file, which it does right after the last close; and all go when another
 * connection begins.
 *
 *   unlinked.keep(nodeid, (kept) => linkSync(path, kept));     // before unlink(2) or rename(2) take the last name
 *   unlinked.path(nodeid);           // where it is, for this server and the next; undefined: not here
 *   unlinked.drop(nodeid);           // the kernel forgot it
 */
export class UnlinkedFiles {
  /** What such files have for a backing. */
  readonly backing: Backing = { path: () => this.#directory ?? '', guest: undefined };
  readonly #isFirst: boolean;
  readonly #tell: (sentence: string) => void;
  #directory: string | undefined;
  #kept = new Set<number>();

  /**
   * @param options.first whether this is the first server of its connection.
   * @param options.tell is told when the directory cannot be used.
   */
  constructor(options: { readonly first: boolean; readonly tell?: (sentence: string) => void }) {
    this.#isFirst = options.first;
    this.#tell = options.tell ?? (() => undefined);
  }

  /** Sets the directory, on the file system of config/; it is made when it is needed. One that cannot be used is told, and costs only what this is for. */
  set directory(path: string) {
    this.#directory = path;
    try {
      if (this.#isFirst) rmSync(path, { recursive: true, force: true });
      else this.#kept = new Set((unlessAbsent(() => readdirSync(path)) ?? []).map(Number));
    } catch (error) {
      const why = `${path} cannot be used (${(error as Error).message}): files that are open and removed do not outlive this server`;
      this.#tell(`${why}. Move away what is there. Run: mv ${path} ${path}.old`);
    }
  }

  /** True when it is not known which files are open: a server before this one opened some. */
  get hasHeirs(): boolean {
    return !this.#isFirst;
  }

  /** Takes care of a file that is about to lose its last name, or has none yet. What fails costs only what this is for. @param link gives it a name. */
  keep(nodeid: number, link: (path: string) => void): void {
    if (this.#directory === undefined || this.#kept.has(nodeid)) return;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      link(`${this.#directory}/${nodeid}`);
      this.#kept.add(nodeid);
    } catch {
      // A full disk, or one that has no links: after a kill the file is stale.
    }
  }

  /** Where a file is kept, on this machine. */
  path(nodeid: number): string | undefined {
    return this.#kept.has(nodeid) ? `${this.#directory}/${nodeid}` : undefined;
  }

  /** Nobody has it open any more. */
  drop(nodeid: number): void {
    if (this.#kept.delete(nodeid)) rmSync(`${this.#directory}/${nodeid}`, { force: true });
  }
}
