import { closeSync, constants, openSync } from 'node:fs';
import { configurationName } from '../domain/configuration-names.ts';
import { Errno } from '../errors/errno.ts';
import { O_PATH } from '../errors/index.ts';
import { pathArgument } from '../fuse/byte-names.ts';
import { isEndedBySignal } from '../fuse/ended-by-signal.ts';
import { processOf } from '../fuse/process-of.ts';
import type { Request } from '../fuse/request.ts';
import type { Place, UserFiles } from '../vfs/user-files.ts';
import type { UserNode } from '../vfs/user-node.ts';
import { type BackedDirectories, type BackedDirectory, isConfigurationName } from './backed-directories.ts';
import { deferFor, type Writing } from './closer.ts';
import { configurationIn, configurationOf } from './configuration-file.ts';
import type { ConfigurationFile, Configure, Forward, ReplaceConfiguration } from './forwarded.ts';
import type { PendingSave, SaveAttempt, SaveOutcome } from './pending-save.ts';

/** An open user file, as far as it may configure a VNF. */
interface WrittenFile {
  readonly node: UserNode;
  readonly fd: number;
  readonly pending: PendingSave | undefined;
  /** Who opened it; undefined: that is not known. */
  readonly by: Writing | undefined;
  /** Opened under a server before this one, which may have saved what was written. */
  readonly resumed: boolean;
}

/** A name for the configuration that another file has, or gets. */
interface Replacement {
  readonly how: ReplaceConfiguration['how'];
  readonly from: Place;
  readonly to: Place;
  /** Takes note of it when it is done. */
  readonly commit: () => void;
}

/** What saving needs of its surroundings. */
interface SaveContext {
  readonly users: UserFiles;
  readonly backed: BackedDirectories;
  readonly forward: Forward;
}

/** A save that the main thread judges. */
interface RunningSave {
  readonly pending: PendingSave;
  readonly attempt: SaveAttempt;
}

/**
 * Finds out when a VNF is configured, in whatever way its nf_conf comes by its text: written, truncated, renamed or linked from elsewhere in config/, or by
 * another of its names. The main thread judges the text, applies it, and answers. A method returns true when the request is answered by that.
 */
export class ConfigurationSaves {
  readonly #context: SaveContext;
  readonly #running = new Map<number, RunningSave>();
  readonly #replacing = new Map<number, Replacement>();
  #numbers = 0;

  constructor(context: SaveContext) {
    this.#context = context;
  }

  /** Data was written to a file: from its beginning, or further on. */
  wrote(request: Request, { node, pending }: WrittenFile, { begins }: { readonly begins: boolean }): void {
    // Who wrote matters for what may configure a VNF alone.
    const known = pending !== undefined && node.backing.guest === undefined && !request.fromPageCache;
    pending?.write(known ? processOf(request.pid) : 0, begins);
  }

  /** A descriptor of it is closed. `files`: all that are open. */
  closes(request: Request, file: WrittenFile, files: Iterable<WrittenFile>): boolean {
    if (file.pending?.open !== true || file.node.backing.guest !== undefined) return false;
    const closer = processOf(request.pid);
    if (isEndedBySignal(request.pid) && file.pending.writerKilled(closer)) return false;
    return file.pending.savesAtClose(closer) && this.#closes(request, file, files);
  }

  /**
   * fsync(2): also of a file that was opened to read, as sync(1) does. Who has not written saves nothing of what another has begun to write.
   *
   * @param files all that are open.
   */
  syncs(request: Request, file: WrittenFile, files: Iterable<WrittenFile>): boolean {
    const serials = this.#configuredBy(file.node);
    return serials.length > 0 && !isBeingWritten(file, files) && this.#save(request, file, serials, 'synced');
  }

  /** Its last descriptor is closed. */
  ends(request: Request, file: WrittenFile, files: Iterable<WrittenFile>): boolean {
    return file.pending?.savesAtEnd() === true && this.#closes(request, file, files);
  }

  /** What another began to write since, over what was written here, is for that one to save. */
  #closes(request: Request, file: WrittenFile, files: Iterable<WrittenFile>): boolean {
    const serials = this.#configuredBy(file.node);
    if (serials.length === 0) return false;
    if (!isBeingWritten(file, files)) return this.#save(request, file, serials, file.resumed ? 'resumed' : 'written');
    file.pending?.settle();
    return false;
  }

  /** truncate(2), which has no descriptor that could be closed later. */
  written(request: Request, node: UserNode): boolean {
    const serials = this.#configuredBy(node);
    if (serials.length === 0) return false;
    const file = configurationIn(this.#context.users, node);
    this.#forward({ ticket: request.defer(), serials, file, cause: 'written', save: 0 });
    return true;
  }

  #save(request: Request, { fd, pending, by }: WrittenFile, serials: readonly number[], cause: Configure['cause']): boolean {
    const file = configurationOf(fd);
    this.#numbers += 1;
    if (pending !== undefined) this.#running.set(this.#numbers, { pending, attempt: pending.begin() });
    this.#forward({ ticket: deferFor(request, by), serials, file, cause, save: this.#numbers });
    return true;
  }

  #configuredBy(node: UserNode): readonly number[] {
    const { backed, users } = this.#context;
    return node.backing.guest === undefined ? backed.configuredBy(node, users.stat(node).nlink) : [];
  }

  #forward(configure: Omit<Configure, 'op'>): void {
    this.#context.forward({ op: 'configure', ...configure });
  }

  /** What was saved is judged. */
  configured(save: number, outcome: SaveOutcome): void {
    const running = this.#running.get(save);
    this.#running.delete(save);
    running?.pending.end(running.attempt, outcome);
  }

  /** A file is renamed onto a configuration, as editors save. The kernel keeps both names locked meanwhile. */
  renames(request: Request, from: Place, to: Place, { replace }: { readonly replace: boolean }): boolean {
    if (!isConfigurationName(to.parent, to.name)) return false;
    const { users } = this.#context;
    const prepared = users.prepareRename(from, to);
    if (prepared.moved === undefined) return false;
    if (prepared.replaced === undefined || replace) {
      this.#replace(request, prepared.moved, { how: 'rename', from, to, commit: () => users.commitRename(prepared) });
    } else request.replyError(Errno.EEXIST);
    return true;
  }

  /** A file gets the name of a configuration as one more, where nothing has it. */
  links(request: Request, node: UserNode, to: Place): boolean {
    const from = node.newestLink;
    if (!isConfigurationName(to.parent, to.name) || from === undefined) return false;
    const commit = (): void => {
      node.addLink(to.parent, to.name);
      this.#context.users.remember(node);
    };
    this.#replace(request, node, { how: 'link', from, to, commit });
    return true;
  }

  #replace(request: Request, node: UserNode, replacement: Replacement): void {
    const { how, from, to } = replacement;
    const { serial } = to.parent.backing as BackedDirectory;
    const isThere = from.parent.backing === to.parent.backing;
    const [fromDirectory, toDirectory, file] = this.#openBoth(from.parent, to.parent, node);
    this.#numbers += 1;
    this.#replacing.set(this.#numbers, replacement);
    this.#context.forward({
      op: 'replace',
      ticket: request.defer(),
      serial,
      replacement: this.#numbers,
      file,
      how,
      from: pathArgument(`/proc/self/fd/${fromDirectory}/${from.name}`),
      to: pathArgument(`/proc/self/fd/${toDirectory}/${to.name}`),
      directories: [fromDirectory, toDirectory],
      path: isThere ? [...(from.parent.components() ?? []), from.name].join('/') : configurationName,
      nodeid: node.nodeid,
    });
  }

  /** Opens two directories and a file, or none. */
  #openBoth(from: UserNode, to: UserNode, node: UserNode): [from: number, to: number, file: ConfigurationFile | undefined] {
    const directories: number[] = [];
    try {
      for (const parent of [from, to]) directories.push(directoryOf(parent));
      const [one, other] = directories as [number, number];
      return [one, other, configurationIn(this.#context.users, node)];
    } catch (error) {
      for (const directory of directories) closeSync(directory);
      throw error;
    }
  }

  /** It was renamed or linked, or not. */
  replaced(replacement: number, done: boolean): void {
    const known = this.#replacing.get(replacement);
    this.#replacing.delete(replacement);
    if (done) known?.commit();
  }
}

/** True when another descriptor was written through since this one was, or at all where nothing was written through this one, and has not saved. */
function isBeingWritten({ node, pending }: WrittenFile, files: Iterable<WrittenFile>): boolean {
  for (const other of files) {
    if (other.node !== node || other.pending === undefined || other.pending === pending) continue;
    if (pending?.open === true ? pending.isOvertakenBy(other.pending) : other.pending.savesAtEnd()) return true;
  }
  return false;
}

/** A descriptor of a directory. */
function directoryOf(node: UserNode): number {
  const path = [node.backing.path(), ...(node.components() ?? [])].join('/');
  return openSync(pathArgument(path), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
