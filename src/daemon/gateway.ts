import { closeSync, type PathLike } from 'node:fs';
import type { Logger } from '../domain/ports/logger.ts';
import { Errno, errnoOf, NfioError } from '../errors/index.ts';
import { OpenReplyFlag } from '../fuse/abi/flags.ts';
import { Opcode } from '../fuse/abi/opcodes.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { Replier } from '../fuse/replier.ts';
import { isResent, nameOf, type Ticket } from '../fuse/ticket.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import { attributesOf } from '../tree/attributes.ts';
import type { FileSpec } from '../tree/file-spec.ts';
import type { Configure, Forwarded, KernelMessage, ReplaceConfiguration, WriteValue } from '../tree/forwarded.ts';
import type { SaveOutcome } from '../tree/pending-save.ts';
import type { ObjectView } from '../tree/views.ts';
import { generationOf, statsOfExisting, statsOfOpen } from '../vfs/file-stats.ts';
import { guestTopNodeid, serialOf, specialNodeid } from '../vfs/nodeid.ts';
import { AskedFiles } from './asked-files.ts';
import { Audit, type AuditedRequest } from './audit.ts';
import { DiskWork } from './disk-work.ts';
import { FileWrites } from './file-writes.ts';
import { Interruptions, isCancellable } from './interruption.ts';
import { misplaced, TreeChanges } from './tree-changes.ts';
import type { TreePublisher } from './tree-publisher.ts';
import type { Watchers } from './watchers.ts';

/** What the gateway works with. */
export interface GatewayParts {
  readonly orchestrator: Orchestrator;
  readonly publisher: TreePublisher;
  readonly replier: Replier;
  readonly watchers: Watchers;
  readonly logger: Logger;
  readonly timeoutMs: number;
  /** A file of nf.io's own on the disk of user files, to try that out. */
  readonly probe: string;
}

/** How long a cancelled operation may take to be taken back, or finished, before its caller is let go, milliseconds. */
const letGoMs = 5000;

type Ticketed = Extract<Forwarded, { ticket: Ticket }>;

/** Answers the requests that the kernel thread hands over: any number at once, in the order in which they are done. */
export class Gateway implements Disposable {
  readonly #parts: GatewayParts;
  readonly #changes: TreeChanges;
  readonly #writes: FileWrites;
  readonly #asked: AskedFiles;
  readonly #audit: Audit;
  readonly #disk: DiskWork;
  readonly #interruptions: Interruptions;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#writes = new FileWrites(parts.orchestrator, parts.publisher.tree);
    this.#changes = new TreeChanges(parts.orchestrator, parts.publisher.tree, this.#writes);
    this.#asked = new AskedFiles(parts.orchestrator, parts.publisher.tree);
    this.#disk = new DiskWork(parts.probe);
    this.#audit = new Audit(parts.orchestrator.model, parts.publisher.tree);
    this.#interruptions = new Interruptions({ onCancel: (ticket) => this.#letGoLater(ticket) });
  }

  /** Takes a message of the kernel thread. */
  receive(message: Forwarded): void {
    if ('ticket' in message) {
      if (this.#parts.replier.accept(message.ticket)) void this.#answer(message);
    } else if (message.op === 'released') this.#asked.release(message.fh);
    else if (message.op === 'turn') this.#tell({ kind: 'turn' });
    else if (message.op === 'probe') void this.#probe();
    else if (message.op === 'openRoot') void this.#openRoot(message.serial);
    else if (message.op === 'refused') void this.#refused(message);
    else if (message.op === 'interrupt') this.#interrupt(message.uniqueLow, message.uniqueHigh);
    else if (message.op === 'watch') this.#parts.watchers.add(message.nodeid, message.kh);
    else this.#parts.watchers.remove(message.nodeid, message.kh);
  }

  /** Tells what was refused and not told yet. */
  [Symbol.dispose](): void {
    this.#audit[Symbol.dispose]();
  }

  async #refused(message: Extract<Forwarded, { op: 'refused' }>): Promise<void> {
    const request = this.#audit.begin(message);
    try {
      request.identify();
      await this.#writes.refused(message.nodeid);
    } catch (error) {
      request.failed(error);
    }
  }

  /** Who waits for the root of a guest is served when this is done, or fails when it could not be. */
  async #openRoot(serial: number): Promise<void> {
    const { orchestrator, logger } = this.#parts;
    await orchestrator.roots.open(serial).catch((error: Error) => logger.error(`rfs of VNF ${serial}: ${error.message}`));
    this.#tell({ kind: 'rootOpened', serial });
  }

  async #probe(): Promise<void> {
    this.#tell({ kind: 'paced', tookMs: await this.#disk.probe(), probe: true });
  }

  /** Tells the kernel thread, which sleeps until a request comes. */
  #tell(message: KernelMessage): void {
    this.#parts.publisher.post(message);
    this.#parts.publisher.wake();
  }

  #interrupt(uniqueLow: number, uniqueHigh: number): void {
    const ticket = this.#parts.replier.find(uniqueLow, uniqueHigh);
    if (ticket !== undefined) this.#interruptions.interrupt(ticket);
  }

  /** What was cancelled answers when it is taken back or finished. When that takes long it goes on, but its caller is not held any longer. */
  #letGoLater(ticket: Ticket): void {
    setTimeout(() => this.#parts.replier.error(ticket, Errno.ECANCELED), letGoMs).unref();
  }

  async #answer(message: Ticketed): Promise<void> {
    const { ticket } = message;
    const { replier, logger, publisher } = this.#parts;
    const signal = isCancellable(message, publisher.tree) ? this.#interruptions.begin(ticket) : new AbortController().signal;
    const request = this.#audit.begin(message);
    try {
      request.identify();
      await this.#carryOut(message, request, signal);
      request.done();
    } catch (error) {
      request.failed(error);
      if (!(error instanceof NfioError) && !signal.aborted) {
        logger.error(`${message.op} on node ${ticket.nodeid}: ${(error as Error).stack ?? String(error)}`);
      }
      replier.error(ticket, errnoFor(error, signal.aborted));
    } finally {
      this.#interruptions.end(ticket);
    }
  }

  async #carryOut(message: Ticketed, request: AuditedRequest, signal: AbortSignal): Promise<void> {
    const { orchestrator, replier } = this.#parts;
    const { ticket } = message;
    switch (message.op) {
      case 'mkdir':
        return this.#replyEntry(ticket, await this.#changes.mkdir(ticket, message));
      case 'symlink':
        return this.#replyLink(ticket, await this.#changes.symlink(ticket, message));
      case 'rmdir':
        await this.#changes.rmdir(ticket, message.name);
        break;
      case 'unlink':
        await this.#changes.unlink(ticket, message.name);
        break;
      case 'rename':
        await this.#changes.rename(ticket, message.name, { parent: message.parent, name: message.newName });
        break;
      case 'create':
        return this.#replyCreate(ticket, this.#changes.recreate(ticket, message.name), message.fh);
      case 'misplaced':
        throw misplaced(message);
      case 'own':
        return this.#replyAttr(ticket, await this.#changes.own(ticket, message, request.did));
      case 'write':
        await this.#write(message, request, signal);
        return this.#replyWritten(ticket, message.size);
      case 'command':
        await orchestrator.commands.write(message.fh, {
          serial: serialOf(ticket.nodeid),
          data: message.data,
          request: nameOf(ticket),
          runs: request.runs,
          signal,
        });
        return this.#replyWritten(ticket, message.data.length);
      case 'finish':
        await this.#finish(message, request, signal);
        break;
      case 'restore':
        await this.#changes.restore({ ...message, actor: request.by, did: request.did }, signal);
        break;
      case 'empty':
        await this.#writes.write(ticket.nodeid, {
          data: new Uint8Array(),
          before: undefined,
          signal,
          again: isResent(ticket),
          actor: request.by,
          did: request.did,
          restored: false,
        });
        return this.#replyEmptied(ticket);
      case 'size':
        return this.#replyAttr(ticket, this.#changes.file(ticket.nodeid), await this.#asked.size(ticket, message.fh, signal));
      case 'read':
        replier.bytes(ticket, await this.#asked.read(ticket, message, signal));
        return;
      case 'readFile':
        return void replier.bytes(ticket, await this.#paced(() => this.#disk.read(message.fd, message.size, message.offset)));
      case 'writeFile':
        return void replier.write(ticket, await this.#writeFile(message));
      case 'sync':
        await closing(message.fd, () => this.#disk.run(() => orchestrator.configs.sync(message.fd, message.newIn)));
        break;
      case 'configure':
        return await this.#configure(message, request, signal);
      case 'replace':
        return await this.#replace(message, request, signal);
    }
    replier.ok(ticket);
  }

  /** What the disk took for something is told, so that the kernel thread works on it again when it is quick. */
  async #paced<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await work();
    this.#parts.publisher.post({ kind: 'paced', tookMs: performance.now() - began, probe: false });
    return result;
  }

  async #write({ ticket, data, before, restoring, acts }: WriteValue, request: AuditedRequest, signal: AbortSignal): Promise<void> {
    try {
      await this.#writes.write(ticket.nodeid, {
        data,
        before,
        signal,
        actor: request.by,
        did: request.did,
        again: isResent(ticket),
        restored: restoring,
      });
    } finally {
      if (acts) this.#parts.publisher.post({ kind: 'acted', nodeid: ticket.nodeid });
    }
  }

  async #finish(
    { ticket, fh, last, discard }: Extract<Forwarded, { op: 'finish' }>,
    { runs }: AuditedRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const { commands } = this.#parts.orchestrator;
    const close = { serial: serialOf(ticket.nodeid), last: last === true, request: nameOf(ticket), runs, signal };
    await (discard === true ? commands.discard(fh, close) : commands.finish(fh, close));
  }

  /** What could not be written is not whole, and is not saved when it is closed. */
  async #writeFile({ fh, fd, data, offset }: Extract<Forwarded, { op: 'writeFile' }>): Promise<number> {
    try {
      return await this.#paced(() => this.#disk.write(fd, data, offset));
    } catch (error) {
      this.#parts.publisher.post({ kind: 'cut', fh });
      throw error;
    }
  }

  async #configure({ ticket, serials, file, cause, save }: Configure, request: AuditedRequest, signal: AbortSignal): Promise<void> {
    const { configs } = this.#parts.orchestrator;
    const fd = file?.fd;
    let outcome: SaveOutcome = 'failed';
    try {
      await closing(fd, async () => {
        for (const serial of serials)
          if (await configs.save({ serial, file }, { onlyNew: cause !== 'written', signal })) request.did('save');
        outcome = 'saved';
        if (cause === 'synced') await configs.sync(fd, undefined);
        this.#replySaved(ticket, fd);
      });
    } catch (error) {
      if (error instanceof NfioError && error.code === 'ConfigurationError') outcome = 'refused';
      throw error;
    } finally {
      this.#parts.publisher.post({ kind: 'configured', save, outcome });
    }
  }

  /** truncate(2) wants the attributes of the user file. */
  #replySaved(ticket: Ticket, fd: number | undefined): void {
    if (ticket.opcode !== Opcode.SETATTR || fd === undefined) this.#parts.replier.ok(ticket);
    else this.#parts.replier.attr(ticket, { ...statsOfOpen(fd), ino: ticket.nodeid }, 0);
  }

  async #replace(message: ReplaceConfiguration, request: AuditedRequest, signal: AbortSignal): Promise<void> {
    try {
      await this.#replaceIn(message, request, signal);
    } finally {
      for (const directory of message.directories) closeSync(directory);
    }
  }

  async #replaceIn(message: ReplaceConfiguration, request: AuditedRequest, signal: AbortSignal): Promise<void> {
    const { ticket, file, nodeid, to } = message;
    let done = false;
    try {
      await closing(file?.fd, async () => {
        if (await this.#parts.orchestrator.configs.replace(message, signal)) request.did('save');
      });
      done = true;
    } finally {
      this.#parts.publisher.post({ kind: 'replaced', replacement: message.replacement, done });
    }
    if (ticket.opcode !== Opcode.LINK) {
      this.#parts.replier.ok(ticket);
      return;
    }
    const stats = statsOfExisting(to as PathLike);
    const generation = generationOf(stats);
    this.#parts.replier.entry(ticket, { nodeid, generation, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: { ...stats, ino: nodeid } });
  }

  #replyEntry(ticket: Ticket, found: { readonly view: ObjectView; readonly spec: FileSpec }): void {
    this.#parts.replier.entry(ticket, this.#entryOf(found, ticket));
  }

  /** The name may be a directory from now on, with the link in it: the kernel has to ask again. */
  #replyLink(ticket: Ticket, found: { readonly view: ObjectView; readonly spec: FileSpec }): void {
    this.#parts.replier.entry(ticket, { ...this.#entryOf(found, ticket), entryTimeoutMs: 0, attrTimeoutMs: 0 });
  }

  #replyCreate(ticket: Ticket, found: { readonly view: ObjectView; readonly spec: FileSpec }, fh: number): void {
    this.#parts.replier.create(ticket, this.#entryOf(found, ticket), { fh, openFlags: OpenReplyFlag.DIRECT_IO });
  }

  #replyAttr(ticket: Ticket, { view, spec }: { readonly view: ObjectView; readonly spec: FileSpec }, size?: number): void {
    const attr = attributesOf(this.#parts.publisher.tree, { view, spec, uid: ticket.uid, size });
    if (spec.type === 'backed') this.#parts.replier.attr(ticket, { ...attr, ino: guestTopNodeid(view.serial) }, 0);
    else this.#parts.replier.attr(ticket, attr, spec.type === 'file' ? 0 : this.#parts.timeoutMs);
  }

  /** write(2) wants to know how much, close(2) nothing. */
  #replyWritten(ticket: Ticket, size: number): void {
    if (ticket.opcode === Opcode.WRITE) this.#parts.replier.write(ticket, size);
    else this.#parts.replier.ok(ticket);
  }

  /** truncate(2) wants attributes, close(2) nothing. */
  #replyEmptied(ticket: Ticket): void {
    if (ticket.opcode === Opcode.SETATTR) this.#replyAttr(ticket, this.#changes.file(ticket.nodeid));
    else this.#parts.replier.ok(ticket);
  }

  #entryOf({ view, spec }: { readonly view: ObjectView; readonly spec: FileSpec }, { uid }: Ticket): Entry {
    return {
      nodeid: specialNodeid(view.serial, spec.index),
      generation: Math.floor(view.createdMs),
      entryTimeoutMs: this.#parts.timeoutMs,
      attrTimeoutMs: spec.type === 'file' ? 0 : this.#parts.timeoutMs,
      attr: attributesOf(this.#parts.publisher.tree, { view, spec, uid }),
    };
  }
}

/** EINTR is for those who were cancelled: a deadline of ours that cut something short is none of the caller's signals. */
function errnoFor(error: unknown, cancelled: boolean): number {
  const { errno } = error instanceof NfioError ? error : { errno: cancelled ? Errno.EINTR : errnoOf(error) };
  return errno === Errno.EINTR && !cancelled ? Errno.ETIMEDOUT : errno;
}

/** Calls `use`, and closes a descriptor that the kernel thread handed over. */
async function closing(fd: number | undefined, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
