import type { ConfigCandidate, ConfigLanguage } from '../../domain/middlebox.ts';
import { NfioError } from '../../errors/index.ts';
import { nftables } from '../languages/nftables/language.ts';
import { type Token, tokenize } from '../languages/nftables/tokens.ts';
import { alertGroup, awaitSensor } from './sensor.ts';

/**
 * nftables rules whose `log` statements make alerts: each one without a group of its own gets that which the guest's logger reads. (In a
 * guest the kernel's own log is out of reach.)
 */
export function signatures(): ConfigLanguage {
  const rules = nftables();
  return {
    name: 'nftables, log makes alerts',
    check: (candidate, guest) => rules.check(alerting(candidate), guest),
    async apply(candidate, guest) {
      await rules.apply(alerting(candidate), guest);
      const { exitCode } = await guest.execute({ argv: ['/bin/sh', '-c', awaitSensor, 'nfio-ids'] });
      if (exitCode === 0) return;
      throw new NfioError('ConfigurationError', {
        message: 'the rules are loaded, but the program that takes their alerts has ended. See why: tail log',
      });
    },
    drops: (guest) => rules.drops(guest),
  };
}

/** @throws ConfigurationError naming the line of what cannot be an alert. */
function alerting({ text, guestPath }: ConfigCandidate): ConfigCandidate {
  const tokens = [...tokensOf(text)];
  const grouped = tokens.map((token, index) => {
    if (token.kind !== 'word' || token.text !== 'log') return token.text;
    const words = statementFrom(tokens, index + 1);
    if (words.includes('level') || words.includes('flags')) {
      const message = `nf_conf line ${token.line}: an alert has a prefix, but neither level nor flags: log prefix "telnet: "`;
      throw new NfioError('ConfigurationError', { message });
    }
    return words.includes('group') ? 'log' : `log group ${alertGroup}`;
  });
  return { text: grouped.join(''), guestPath };
}

/** What is wrong with quotes is told by the rules' own check. */
function tokensOf(text: string): readonly Token[] {
  try {
    return tokenize(text);
  } catch {
    return [{ kind: 'word', text, line: 1 }];
  }
}

/** The words from here to the end of the log statement: what it takes is words, numbers and a string. */
function statementFrom(tokens: readonly Token[], start: number): string[] {
  const words: string[] = [];
  for (const token of tokens.slice(start)) {
    if (token.kind === 'newline' || token.kind === 'punctuation' || token.kind === 'comment') break;
    if (token.kind === 'word') words.push(token.text);
  }
  return words;
}
