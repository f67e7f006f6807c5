/** A piece of nftables text. `newline` and `;` end statements; `space` is what may be left out. */
export interface Token {
  readonly kind: 'word' | 'string' | 'punctuation' | 'newline' | 'space' | 'comment';
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

/**
 * As nft's own scanner sees it: a string runs to the next quote, over line ends, without escapes; a comment to the end of its
 * line. A word is anything else up to white space, a brace, comma, semicolon, quote or #.
 */
const pattern = /"[^"]*"|#[^\n]*|\n|[^\S\n]+|\\\n|[{};,]|[^\s{};,"#]+/y;

/**
 * Splits nftables text; the texts of the tokens together are the text.
 *
 * @throws Error whose message names the line of a quote that is not closed.
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const token = pattern.exec(text)?.[0];
    if (token === undefined) throw new Error(`line ${line}: a " is not closed`);
    const kind = kindOf(token);
    tokens.push({ kind, text: token, line });
    if (kind === 'newline' || token === '\\\n') line += 1;
    else if (kind === 'string') line += token.split('\n').length - 1;
  }
  return tokens;
}

/** Its first character tells. */
function kindOf(token: string): Token['kind'] {
  switch (token.charAt(0)) {
    case '"':
      return 'string';
    case '#':
      return 'comment';
    case '\n':
      return 'newline';
    case '{':
    case '}':
    case ';':
    case ',':
      return 'punctuation';
    default:
      return token === '\\\n' || token.trimStart() === '' ? 'space' : 'word';
  }
}

/** True for what nft takes as part of a statement. */
export function isSignificant(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'string' || token.kind === 'punctuation';
}
