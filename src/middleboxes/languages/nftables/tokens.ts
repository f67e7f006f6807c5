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
const pattern =
  /(?<string>"[^"]*")|(?<comment>#[^\n]*)|(?<newline>\n)|(?<space>[^\S\n]+|\\\n)|(?<punctuation>[{};,])|(?<word>[^\s{};,"#]+)/y;

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
    const match = pattern.exec(text);
    if (match === null) throw new Error(`line ${line}: a " is not closed`);
    const [kind] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? ['word'];
    tokens.push({ kind: kind as Token['kind'], text: match[0], line });
    line += match[0].split('\n').length - 1;
  }
  return tokens;
}

/** True for what nft takes as part of a statement. */
export function isSignificant(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'string' || token.kind === 'punctuation';
}
