import { NfioError } from '../errors/index.ts';
import type { Model } from '../orchestrator/model.ts';
import type { FileSpec } from '../tree/file-spec.ts';
import { fileAt } from '../tree/files.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import { errorSerial, objectPath } from '../tree/object-path.ts';
import type { Tree } from '../tree/tree.ts';
import type { ObjectView } from '../tree/views.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';

/** What people call the requests that change names. */
const commands = {
  mkdir: 'mkdir',
  symlink: 'ln',
  rmdir: 'rmdir',
  unlink: 'rm',
  rename: 'mv',
  create: 'create',
  misplaced: 'create',
} as const;

type NameChange = Extract<Forwarded, { readonly op: keyof typeof commands }>;

/** What a request is about. */
interface Concerned {
  readonly path: string;
  readonly serial: number | undefined;
}

/**
 * Tells why a change of the tree was refused: in `events`, and in the `error` of the object that it would have changed, or that it would have been made in. What
 * the use case has told already is told once.
 */
export class RefusedChanges {
  readonly #model: Model;
  readonly #tree: Tree;

  constructor(model: Model, tree: Tree) {
    this.#model = model;
    this.#tree = tree;
  }

  /** A request failed. */
  failed(message: Forwarded, error: unknown): void {
    if (!isNameChange(message) || !(error instanceof NfioError)) return;
    const concerned = this.#concernedBy(message);
    if (concerned !== undefined) this.#model.tell({ ...concerned, what: what(message) }, error);
  }

  /** A request was carried out: what was told of one like it is over. */
  done(message: Forwarded): void {
    if (!isNameChange(message)) return;
    const serial = this.#concernedBy(message)?.serial;
    if (serial !== undefined) this.#model.forgetTold(serial, `${commands[message.op]} `);
  }

  #concernedBy({ ticket, name }: NameChange): Concerned | undefined {
    const view = this.#tree.get(serialOf(ticket.nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(ticket.nodeid));
    if (view === undefined || spec === undefined) return undefined;
    const path = [objectPath(this.#tree, view), spec.path, name].filter((part) => part !== '').join('/');
    return { path, serial: errorSerial(this.#child(view, spec, name) ?? view) };
  }

  #child(view: ObjectView, spec: FileSpec, name: string): ObjectView | undefined {
    if (spec.type !== 'directory' || spec.listing === undefined || spec.listing === 'link') return undefined;
    return this.#tree.listed(view.serial, spec.listing).get(name);
  }
}

function isNameChange(message: Forwarded): message is NameChange {
  return message.op in commands;
}

function what(message: NameChange): string {
  return `${commands[message.op]} ${message.name.slice(0, 80)}`;
}
