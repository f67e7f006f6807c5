import { NfioError } from '../errors/index.ts';
import type { Model } from '../orchestrator/model.ts';
import type { FileSpec } from '../tree/file-spec.ts';
import { fileAt } from '../tree/files.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import { errorSerial, objectPath } from '../tree/object-path.ts';
import type { Tree } from '../tree/tree.ts';
import type { ObjectView } from '../tree/views.ts';
import { indexOf, serialOf } from '../vfs/nodeid.ts';

/** What people call the requests that change names, owners and permissions. */
const commands = {
  mkdir: 'mkdir',
  symlink: 'ln',
  rmdir: 'rmdir',
  unlink: 'rm',
  rename: 'mv',
  create: 'create',
  misplaced: 'create',
  own: 'chown',
} as const;

type Change = Extract<Forwarded, { readonly op: keyof typeof commands }>;

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
    if (!isChange(message) || !(error instanceof NfioError)) return;
    const concerned = this.#concernedBy(message);
    const what = [commandOf(message), nameIn(message).slice(0, 80)].join(' ').trim();
    if (concerned !== undefined) this.#model.tell({ ...concerned, what }, error);
  }

  /** A request was carried out: what was told of one like it is over. */
  done(message: Forwarded): void {
    if (!isChange(message)) return;
    const serial = this.#concernedBy(message)?.serial;
    if (serial !== undefined) this.#model.forgetTold(serial, `${commandOf(message)}${message.op === 'own' ? ':' : ' '}`);
  }

  #concernedBy(message: Change): Concerned | undefined {
    const { nodeid } = message.ticket;
    const view = this.#tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec === undefined) return undefined;
    const name = nameIn(message);
    const path = [objectPath(this.#tree, view), spec.path, name].filter((part) => part !== '').join('/');
    return { path, serial: errorSerial(this.#child(view, spec, name) ?? view) };
  }

  #child(view: ObjectView, spec: FileSpec, name: string): ObjectView | undefined {
    if (spec.type !== 'directory' || spec.listing === undefined || spec.listing === 'link') return undefined;
    return this.#tree.listed(view.serial, spec.listing).get(name);
  }
}

function isChange(message: Forwarded): message is Change {
  return message.op in commands;
}

function commandOf(message: Change): string {
  const onlyMode = message.op === 'own' && message.uid === undefined && message.gid === undefined;
  return onlyMode ? 'chmod' : commands[message.op];
}

/** The name in a directory that a request is about; empty: the file itself. */
function nameIn(message: Change): string {
  return message.op === 'own' ? '' : message.name;
}
