/**
 * Splits a command into words by the quoting rules of the POSIX shell (XCU 2.2): '…', "…" and backslash. Nothing is expanded:
 * `$`, `*`, `|` and the like are plain characters.
 *
 * @throws Error whose message says which quote is not closed.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const { word, length } = takeWord(rest);
    words.push(word);
    rest = rest.slice(length).trimStart();
  }
  return words;
}

function takeWord(text: string): { readonly word: string; readonly length: number } {
  let word = '';
  let at = 0;
  while (at < text.length && !/\s/.test(text.charAt(at))) {
    const piece = takePiece(text, at);
    word += piece.text;
    at = piece.end;
  }
  return { word, length: at };
}

function takePiece(text: string, at: number): { readonly text: string; readonly end: number } {
  const first = text.charAt(at);
  if (first === "'") {
    const end = text.indexOf("'", at + 1);
    if (end < 0) throw new Error("a ' is not closed");
    return { text: text.slice(at + 1, end), end: end + 1 };
  }
  if (first === '"') return takeDoubleQuoted(text, at + 1);
  if (first !== '\\') return { text: first, end: at + 1 };
  if (at + 1 === text.length) throw new Error('nothing follows the last \\');
  return { text: text.charAt(at + 1), end: at + 2 };
}

function takeDoubleQuoted(text: string, start: number): { readonly text: string; readonly end: number } {
  let content = '';
  for (let at = start; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '"') return { text: content, end: at + 1 };
    const next = text.charAt(at + 1);
    if (character === '\\' && next !== '' && '$`"\\'.includes(next)) {
      content += next;
      at += 1;
    } else {
      content += character;
    }
  }
  throw new Error('a " is not closed');
}

/** A word as a shell takes it for one: for commands that are shown to people. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
