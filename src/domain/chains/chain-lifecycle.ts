import { NfioError } from '../../errors/index.ts';

/** What a service chain is in. Degraded: it is active, and one of its hops is dead or one of its networks gone. */
export type ChainState = 'inactive' | 'active' | 'degraded';

/** The verbs of a service chain's `action`. */
export type ChainVerb = 'activate' | 'stop';

/** The verbs that fit a state, in the order `cat action` shows them. */
export function chainVerbsFor(state: ChainState): readonly ChainVerb[] {
  return state === 'inactive' ? ['activate'] : ['stop'];
}

/** The verb that was written. @throws InvalidActionError (EINVAL) for one that is unknown or does not fit the state, naming those that do. */
export function parseChainVerb(text: string, state: ChainState): ChainVerb {
  const word = text.trim();
  if (word !== 'activate' && word !== 'stop') {
    throw new NfioError('InvalidActionError', {
      message: `"${word.slice(0, 80)}" is not an action of a service chain; there are: activate, stop`,
    });
  }
  if (!chainVerbsFor(state).includes(word)) {
    throw new NfioError('InvalidActionError', {
      message: `the service chain is ${state}; possible now: ${chainVerbsFor(state).join(', ')}`,
    });
  }
  return word;
}
