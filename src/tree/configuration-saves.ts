import { constants, openSync } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { pathArgument } from '../fuse/byte-names.ts';
import { processOf } from '../fuse/process-of.ts';
import type { Request } from '../fuse/request.ts';
import { isFile } from '../vfs/file-stats.ts';
import type { Place, UserFiles } from '../vfs/user-files.ts';
import type { UserNode } from '../vfs/user-node.ts';
import { type BackedDirectories, type BackedDirectory, configurationName, isConfigurationName } from './backed-directories.ts';
import type { Configure, Forward, ReplaceConfiguration } from './forwarded.ts';
import type { PendingSave, SaveAttempt, SaveOutcome } from './pending-save.ts';

/** An open user file, as far as it may configure a VNF. */
interface WrittenFile {
  readonly node: UserNode;
  readonly fd: number;
  readonly pending: PendingSave | undefined;
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

  /** Data was written to a file. */
  wrote(request: Request, { node, pending }: WrittenFile): void {
    // Who wrote matters for what may configure a VNF alone.
    const known = pending !== undefined && node.backing.guest === undefined && !request.fromPageCache;
    pending?.write(known ? processOf(request.pid) : 0);
  }

  /** A descriptor of it is closed. */
  closes(request: Request, file: WrittenFile): boolean {
    if (file.pending?.open !== true || file.node.backing.guest !== undefined) return false;
    if (!file.pending.savesAtClose(processOf(request.pid))) return false;
    return this.#save(request, file, file.resumed ? 'resumed' : 'written');
  }

  /**
   * fsync(2): also of a file that was opened to read, as sync(1) does. Who has not written saves nothing of what another has begun to write.
   *
   * @param files all that are open.
   */
  syncs(request: Request, file: WrittenFile, files: Iterable<WrittenFile>): boolean {
    if (this.#configuredBy(file.node).length === 0) return false;
    for (const other of files) if (other !== file && other.node === file.node && other.pending?.open === true) return false;
    return this.#save(request, file, 'synced');
  }

  /** Its last descriptor is closed. */
  ends(request: Request, file: WrittenFile): boolean {
    return file.pending?.savesAtEnd() === true && this.#save(request, file, file.resumed ? 'resumed' : 'written');
  }

  /** truncate(2), which has no descriptor that could be closed later. */
  written(request: Request, node: UserNode): boolean {
    const serials = this.#configuredBy(node);
    if (serials.length === 0) return false;
    this.#forward(request, { serials, fd: openToRead(this.#context.users, node), cause: 'written', save: 0 });
    return true;
  }

  #save(request: Request, { node, fd, pending }: WrittenFile, cause: Configure['cause']): boolean {
    const serials = this.#configuredBy(node);
    if (serials.length === 0) return false;
    this.#numbers += 1;
    if (pending !== undefined) this.#running.set(this.#numbers, { pending, attempt: pending.begin() });
    this.#forward(request, { serials, fd: readable(fd), cause, save: this.#numbers });
    return true;
  }

  #configuredBy(node: UserNode): readonly number[] {
    const { backed, users } = this.#context;
    return node.backing.guest === undefined ? backed.configuredBy(node, users.stat(node).nlink) : [];
  }

  #forward(request: Request, configure: Omit<Configure, 'op' | 'ticket'>): void {
    this.#context.forward({ op: 'configure', ticket: request.defer(), ...configure });
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
    const fd = openToRead(this.#context.users, node);
    this.#numbers += 1;
    this.#replacing.set(this.#numbers, replacement);
    this.#context.forward({
      op: 'replace',
      ticket: request.defer(),
      serial,
      replacement: this.#numbers,
      fd,
      how,
      from: pathOf(from),
      to: pathOf(to),
      path: isThere ? [...(from.parent.components() ?? []), from.name].join('/') : configurationName,
      nodeid: node.nodeid,
    });
  }

  /** It was renamed or linked, or not. */
  replaced(replacement: number, done: boolean): void {
    const known = this.#replacing.get(replacement);
    this.#replacing.delete(replacement);
    if (done) known?.commit();
  }
}

/** Opens an open file again, to read: a descriptor that outlives the file's own. */
export function readable(fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** Opens a file to read; undefined for what is no regular file. */
function openToRead(users: UserFiles, node: UserNode): number | undefined {
  if (!isFile(users.stat(node))) return undefined;
  const fd = users.open(node, constants.O_RDONLY);
  try {
    return readable(fd);
  } finally {
    users.close(node, fd);
  }
}

/** Path on this machine. */
function pathOf({ parent, name }: Place): string | Buffer {
  return pathArgument([parent.backing.path(), ...(parent.components() ?? []), name].join('/'));
}
