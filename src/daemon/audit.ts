import type { Caller, Event } from '../domain/event.ts';
import { errnoName, errnoOf, NfioError } from '../errors/index.ts';
import type { Ticket } from '../fuse/ticket.ts';
import type { Model } from '../orchestrator/model.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import type { Tree } from '../tree/tree.ts';
import { callerOf } from './actor.ts';
import { type Change, type Concerned, concernedBy, isChange, isNamed, pathIn } from './concerned.ts';
import { RefusalCounts } from './refusal-counts.ts';

/** A request that somebody made. */
export type Asked = Extract<Forwarded, { readonly ticket: Ticket }> | Extract<Forwarded, { readonly op: 'refused' }>;

/** Tells that something was done, in a few words, and what became of it. */
export type Did = (what: string, why?: string) => void;

/** So much of a command is told, and of a name, characters. */
const most = { command: 200, name: 80 };

interface AuditParts {
  readonly model: Model;
  readonly tree: Tree;
  readonly refusals: RefusalCounts;
}

/**
 * Has `events` tell of what users ask for: each change with who asked for it and how it ended. The one place where that is told: use cases tell of what happens by
 * itself, and leave what they fail with to this.
 */
export class Audit implements Disposable {
  readonly #parts: AuditParts;

  constructor(model: Model, tree: Tree) {
    this.#parts = { model, tree, refusals: new RefusalCounts((event) => model.note(event)) };
  }

  /** A request is about to be carried out: what it is about may be gone afterwards. */
  begin(message: Asked): AuditedRequest {
    return new AuditedRequest(message, this.#parts);
  }

  /** Tells what was not told yet. */
  [Symbol.dispose](): void {
    this.#parts.refusals[Symbol.dispose]();
  }
}

/** A request, and what is told of it. Of one that only reads nothing is, save what its use case fails with. */
export class AuditedRequest {
  readonly #message: Asked;
  readonly #parts: AuditParts;
  readonly #concerned: Concerned | undefined;
  /** Whose it is, before it is removed. */
  readonly #owner: number;
  #caller: Caller | undefined;
  #command: string | undefined;

  constructor(message: Asked, parts: AuditParts) {
    this.#message = message;
    this.#parts = parts;
    this.#concerned = isChange(message) ? concernedBy(message, parts.tree) : undefined;
    this.#owner = parts.model.ownerAt(this.#concerned?.path ?? '');
  }

  /** Who made it; looked up when it is first asked for, while that one waits. @throws as callerOf does */
  get by(): Caller {
    this.#caller ??= callerOf(idsOf(this.#message));
    return this.#caller;
  }

  /** Looks up who made a request that changes something: once it is answered that one may have ended. @throws as callerOf does */
  identify(): void {
    if (this.#concerned !== undefined) this.#caller = this.by;
  }

  /** Something was done. */
  readonly did: Did = (what, why) => {
    const path = this.#concerned?.path ?? '';
    const event: Event = { path, what, ...(why !== undefined && { why }), by: this.by, outcome: 'done' };
    this.#parts.model.note(event, this.#owner);
  };

  /** A command runs in the guest. */
  readonly runs = (text: string): void => {
    this.#command = text.trim().slice(0, most.command);
  };

  /** All was done: what was told of a failure like it is over. */
  done(): void {
    if (this.#command !== undefined) this.did('command', `exit status 0${this.#itWas()}`);
    const message = this.#message;
    if (!isChange(message) || this.#concerned === undefined || !isTreeChange(message)) return;
    const { word, serial, isObject } = this.#concerned;
    if (isObject) this.did(word, this.#target(message));
    if (serial !== undefined) this.#parts.model.forgetTold(serial, `${word}${isNamed(message) ? ' ' : ':'}`);
  }

  /** It failed. */
  failed(error: unknown): void {
    if (error instanceof NfioError) this.#keep(error);
    const told = this.#parts.model.takeFailures(error);
    for (const { path, what, why } of told ?? []) this.#refuse({ ...this.#placeOf({ path, what }), why: `${why}${this.#itWas()}` });
    if (told !== undefined || this.#concerned === undefined) return;
    const { path, word } = this.#concerned;
    this.#refuse({ path, what: `${word} failed`, why: errnoName(errnoOf(error)) ?? 'EIO' });
  }

  /** What failed where. Use cases name a value by the object and its path below it, which is the path of the file. */
  #placeOf({ path, what }: { readonly path: string; readonly what: string }): { readonly path: string; readonly what: string } {
    const { path: file, word } = this.#concerned ?? {};
    return file === `${path}/${what}` ? { path: file, what: `${word} failed` } : { path, what: `${what} failed` };
  }

  /** In `error` of what a change of the tree was about, unless its use case did so. */
  #keep(error: NfioError): void {
    const message = this.#message;
    if (!isChange(message) || this.#concerned === undefined) return;
    const { path, word, serial } = this.#concerned;
    const what = isNamed(message) ? `${word} ${message.name.slice(0, most.name)}` : word;
    this.#parts.model.tell({ path, serial: isTreeChange(message) ? serial : undefined, what }, error);
  }

  #refuse(event: Pick<Event, 'path' | 'what' | 'why'>): void {
    const { uid, gid, pid } = idsOf(this.#message);
    // That of a reader is not looked up, nor that of whom it could not be.
    const by = this.#caller ?? { uid, gid, pid, groups: [], program: '' };
    this.#parts.refusals.add({ kind: this.#concerned?.word ?? 'read', event: { ...event, by, outcome: 'failed' } });
  }

  #itWas(): string {
    return this.#command === undefined || this.#command === '' ? '' : `; it was: ${this.#command}`;
  }

  /** Where a link leads, or what has a new name. */
  #target(message: Change): string | undefined {
    if (message.op === 'symlink') return `to ${message.target}`;
    return message.op === 'rename' ? `to ${pathIn(message.parent, message.newName, this.#parts.tree)}` : undefined;
  }
}

/** Who made a request, as the kernel tells. */
function idsOf(message: Asked): Pick<Ticket, 'uid' | 'gid' | 'pid'> {
  return 'ticket' in message ? message.ticket : message.by;
}

/** True for what changes names, owners and permissions. */
function isTreeChange(message: Change): boolean {
  return isNamed(message) || message.op === 'own';
}
