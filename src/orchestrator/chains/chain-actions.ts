import { parseChainVerb } from '../../domain/chains/chain-lifecycle.ts';
import { NfioError } from '../../errors/index.ts';
import type { Model } from '../model.ts';
import type { ChainEditor } from './chain-editor.ts';
import type { ChainHealth } from './chain-health.ts';
import type { ChainResolver } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';
import type { Steersman } from './steersman.ts';

/** How long a change of what traffic is steered by may take, milliseconds. */
const changeTimeoutMs = 60_000;

/** Runs the verbs of a service chain's `action`. */
export class ChainActions {
  readonly #model: Model;
  readonly #editor: ChainEditor;
  readonly #resolver: ChainResolver;
  readonly #steersman: Steersman;
  readonly #runtimes: ChainRuntimes;
  readonly #health: ChainHealth;

  constructor(
    model: Model,
    parts: {
      readonly editor: ChainEditor;
      readonly resolver: ChainResolver;
      readonly steersman: Steersman;
      readonly runtimes: ChainRuntimes;
      readonly health: ChainHealth;
    },
  ) {
    this.#model = model;
    this.#editor = parts.editor;
    this.#resolver = parts.resolver;
    this.#steersman = parts.steersman;
    this.#runtimes = parts.runtimes;
    this.#health = parts.health;
  }

  /**
   * Does what was written to `action`; resolves when traffic is steered, or is no more.
   *
   * @param how.again the request came before, to a server that died: a service chain that is as it asks for is left alone.
   * @throws InvalidActionError for an unknown verb or one that does not fit, what the resolver throws for a service chain that does not work,
   *   NetworkError when steering fails: then nothing has changed.
   */
  async act(serial: number, text: string, how: { readonly signal: AbortSignal; readonly again: boolean }): Promise<void> {
    await this.#editor.alone(serial, text.trim().slice(0, 80), async (before) => {
      const state = this.#health.state(before);
      if (how.again && (state === 'inactive') === (text.trim() === 'stop')) return;
      const verb = parseChainVerb(text, state);
      const applied = verb === 'stop' ? undefined : await this.#resolver.resolve(before, { unreached: 'wrong', signal: how.signal });
      // From here on it is carried out, or taken back, whole: nobody could tell what a change that was cut short has done.
      if (how.signal.aborted) throw new NfioError('InterruptedError', { message: 'interrupted by its caller; nothing was changed' });
      await this.#steersman.change({ before, after: { ...before, applied } }, AbortSignal.timeout(changeTimeoutMs));
      const runtime = this.#runtimes.of(serial);
      runtime.behind = { why: '', unreached: 'wrong' };
      runtime.hidden.clear();
    });
    this.#model.publishChain(serial);
  }
}
