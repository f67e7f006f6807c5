import { isSignificant, type Token, tokenize } from './tokens.ts';

/** A table, as nft names it. */
export interface TableName {
  readonly family: string;
  readonly name: string;
}

/** A rule set that counts what it drops. */
export interface CountedRuleset {
  readonly text: string;
  readonly tables: readonly TableName[];
}

/** The counter object in each table, and the service of verdict maps: a chain that counts and drops. */
export const dropCounter = 'nfio_drops';
const dropChain = 'nfio_drop';
const bodyPrefix = 'nfio_body_';

/**
 * Rewrites the listing of a rule set so that every packet it drops or rejects is counted, in one counter object a table:
 *
 * - before a `drop` or `reject` statement the counter is referred to;
 * - `: drop` in a verdict map becomes a goto to a chain that counts and drops;
 * - of a base chain whose policy is drop, the rules move to a chain of their own that the base chain jumps to. Whatever comes
 *   back from there, by its end, by `return` or by a verdict map, is what the policy drops: the base chain counts and drops it.
 *
 * @param listing what `nft -s list ruleset` printed, nothing a user wrote.
 */
export function countDrops(listing: string): CountedRuleset {
  const reader = new ListingReader(tokenize(listing));
  const tables: TableName[] = [];
  let text = '';
  while (reader.skipTo('table')) {
    const family = reader.take();
    const name = reader.take();
    tables.push({ family, name });
    text += countedTable({ family, name }, reader.block());
  }
  return { text, tables };
}

function countedTable({ family, name }: TableName, body: readonly Token[]): string {
  const reader = new ListingReader(body);
  let text = '';
  while (reader.more()) {
    if (!reader.at('chain')) {
      text += reader.at('map') || reader.at('{') ? verdicts(reader.nextWithBlock()) : reader.nextText();
      continue;
    }
    reader.take();
    text += countedChain(reader.take(), reader.block());
  }
  const jump = text.includes(`goto ${dropChain}`) ? `chain ${dropChain} { counter name "${dropCounter}" drop; }\n` : '';
  return `table ${family} ${name} {\ncounter ${dropCounter} { }\n${jump}${text}\n}\n`;
}

function countedChain(name: string, body: readonly Token[]): string {
  const lines = linesOf(body);
  const header = lines.find((line) => line[0]?.text === 'type' && line.some((token) => token.text === 'hook'));
  const rules = lines.filter((line) => line !== header).map((line) => `\t\t${verdicts(line)}\n`);
  if (header === undefined) return `chain ${name} {\n${rules.join('')}}\n`;
  const hook = join(header);
  if (!/\bpolicy drop\b/.test(hook)) return `chain ${name} {\n\t\t${hook}\n${rules.join('')}}\n`;
  const own = `${bodyPrefix}${name}`;
  return `chain ${own} {\n${rules.join('')}}\nchain ${name} {\n\t\t${hook}\n\t\tjump ${own}\n\t\tcounter name "${dropCounter}" drop\n}\n`;
}

/** A piece of text with its dropping verdicts counted. */
function verdicts(tokens: readonly Token[]): string {
  let before = '';
  let text = '';
  for (const token of tokens) {
    const verdict = token.kind === 'word' && (token.text === 'drop' || token.text === 'reject');
    if (verdict && before === ':') text += `goto ${dropChain}`;
    else if (verdict) text += `counter name "${dropCounter}" ${token.text}`;
    else text += token.text;
    if (isSignificant(token)) before = token.text;
  }
  return text;
}

/** The statements of a chain: a line end within braces is no end. White space around each is left out. */
function linesOf(body: readonly Token[]): Token[][] {
  const lines: Token[][] = [];
  let line: Token[] = [];
  let depth = 0;
  for (const token of body) {
    if (token.text === '{') depth += 1;
    if (token.text === '}') depth -= 1;
    if (token.kind === 'newline' && depth === 0) {
      if (line.length > 0) lines.push(line);
      line = [];
    } else if (line.length > 0 || isSignificant(token)) {
      line.push(token);
    }
  }
  if (line.length > 0) lines.push(line);
  return lines;
}

function join(tokens: readonly Token[]): string {
  return tokens.map((token) => token.text).join('');
}

/** Goes through the tokens of a listing, which nft made and is therefore known to be well-formed. */
class ListingReader {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  more(): boolean {
    return this.#next < this.#tokens.length;
  }

  at(text: string): boolean {
    return this.#tokens[this.#next]?.text === text;
  }

  /** Goes behind the next token of this text; false when there is none. */
  skipTo(text: string): boolean {
    while (this.more()) if (this.nextText() === text) return true;
    return false;
  }

  nextText(): string {
    this.#next += 1;
    return this.#tokens[this.#next - 1]?.text ?? '';
  }

  /** The next token that means something. */
  take(): string {
    while (this.more()) {
      const token = this.#tokens[this.#next];
      this.#next += 1;
      if (token !== undefined && isSignificant(token)) return token.text;
    }
    return '';
  }

  /** What is between the next brace and the one that closes it; goes behind that. */
  block(): readonly Token[] {
    this.skipTo('{');
    const start = this.#next;
    let depth = 1;
    while (this.more() && depth > 0) {
      const text = this.nextText();
      if (text === '{') depth += 1;
      if (text === '}') depth -= 1;
    }
    return this.#tokens.slice(start, this.#next - 1);
  }

  /** From here to the end of the next block, with its braces. */
  nextWithBlock(): readonly Token[] {
    const start = this.#next;
    this.block();
    return this.#tokens.slice(start, this.#next);
  }
}
