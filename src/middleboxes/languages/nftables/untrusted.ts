import { NfioError } from '../../../errors/index.ts';
import { type Token, tokenize } from './tokens.ts';

/** Largest nf_conf that is looked at, bytes. */
const maxBytes = 1024 * 1024;

/** Names that begin so are nf.io's own. */
export const reservedPrefix = 'nfio_';

/**
 * Refuses what a VNF's owner must not have nft do as root, and returns the text in the form that it is given to nft.
 *
 * nft's scanner knows `include` wherever it stands, even grown together with a number, so that the letters are refused in that
 * order anywhere outside of comments and quotes. A comment counts as one for nft only when a line end follows: one is added.
 *
 * @throws ConfigurationError (EINVAL) naming the line.
 */
export function checkUntrusted(text: string): { readonly text: string; readonly tokens: readonly Token[] } {
  if (Buffer.byteLength(text) > maxBytes) throw refuse(`is larger than ${maxBytes} bytes`);
  const complete = text.endsWith('\n') ? text : `${text}\n`;
  const nul = complete.indexOf('\0');
  if (nul >= 0) throw refuse(`line ${complete.slice(0, nul).split('\n').length}: there is a NUL byte in it`);
  const tokens = tokensOf(complete);
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'string' && token.text.includes('\n')) throw refuse(`line ${token.line}: a " is not closed on its line`);
    if (token.kind !== 'word') continue;
    if (token.text.includes('include'))
      throw refuse(`line ${token.line}: "include" is not allowed here: put the rules into nf_conf itself`);
    if (token.text === 'monitor' && beginsStatement(tokens, index)) throw refuse(`line ${token.line}: "monitor" would never end`);
    if (token.text.includes(reservedPrefix)) throw refuse(`line ${token.line}: names that begin with ${reservedPrefix} are nf.io's own`);
    if (token.text === 'owner' && tokens.slice(Math.max(index - 8, 0), index).some((each) => each.text === 'flags'))
      throw refuse(`line ${token.line}: a table cannot have the flag owner here`);
  }
  return { text: complete, tokens };
}

function beginsStatement(tokens: readonly Token[], index: number): boolean {
  const before = tokens.slice(0, index).findLast((token) => token.kind !== 'space');
  return before === undefined || before.kind === 'newline' || before.text === ';';
}

function tokensOf(text: string): readonly Token[] {
  try {
    return tokenize(text);
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
}

function refuse(why: string): NfioError {
  return new NfioError('ConfigurationError', { message: `nf_conf ${why}` });
}
