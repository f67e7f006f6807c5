import { ownerOf } from '../domain/authority.ts';
import { isVerb } from '../domain/lifecycle.ts';
import { type Model, pathOf } from './model.ts';
import type { VerbNote } from './verb-notes.ts';
import type { VnfActions } from './vnf-actions.ts';

/**
 * Finishes verbs that were under way when all processes of a mount were killed, as a server does that takes over and is asked again: what is left of the verb is
 * carried out, and what fails is taken back.
 */
export class LeftVerbs {
  readonly #model: Model;
  readonly #actions: VnfActions;

  constructor(model: Model, actions: VnfActions) {
    this.#model = model;
    this.#actions = actions;
  }

  /**
   * Begins to finish them. Until one is finished its VNF is busy.
   *
   * @param takesOver another server of this mount was here before: its requests come again by themselves.
   */
  finish(takesOver: boolean): void {
    try {
      for (const note of this.#model.parts.verbNotes.left()) if (note.unasked || !takesOver) void this.#finish(note);
    } catch (error) {
      const why = `what was under way when nf.io was killed cannot be read: ${(error as Error).message}`;
      this.#model.parts.events.add({ path: '.', what: 'state', why });
    }
  }

  async #finish({ serial, verb }: VerbNote): Promise<void> {
    const vnf = this.#model.inventory.vnf(serial);
    if (vnf === undefined || !isVerb(verb)) {
      this.#model.parts.verbNotes.end(serial);
      // What a module does cannot be told half done from done.
      if (vnf !== undefined) this.#tell(serial, verb, 'was cut short: nf.io was killed. How much of it was done is not known');
      return;
    }
    this.#model.parts.events.add({ path: pathOf(vnf), what: `${verb} goes on`, why: 'nf.io was killed while it was under way' });
    const { signal } = new AbortController();
    const actor = ownerOf(vnf); // within whose limits it stays
    const finished = this.#actions.act(serial, verb, { signal, actor, again: true, unasked: true });
    await finished.then(
      () => this.#tell(serial, verb, 'nf.io was killed while it was under way; it has been finished'),
      // Told by act(), and taken back: only that nf.io was killed it does not know.
      () => this.#tell(serial, verb, `nf.io was killed while it was under way, and it cannot be finished: ${this.#reason(serial, verb)}`),
    );
  }

  /** What `error` says of a verb that failed, without its name. */
  #reason(serial: number, verb: string): string {
    return this.#model.runtime(serial).error.replace(`${verb}: `, '');
  }

  #tell(serial: number, verb: string, why: string): void {
    const vnf = this.#model.inventory.vnf(serial);
    if (vnf === undefined) return;
    this.#model.runtime(serial).error = `${verb}: ${why}`;
    this.#model.parts.events.add({ path: pathOf(vnf), what: verb, why });
    void this.#model.publishVnf(serial);
  }
}
