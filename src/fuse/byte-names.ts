/**
 * Names are bytes, and almost always UTF-8. They are kept as text; of one that is not UTF-8 each byte from 0x80 on is a lone surrogate, U+DC80 to U+DCFF, which no
 * UTF-8 can hold: so nothing is lost, and no two names become one. It is what Python does (PEP 383, os.fsdecode). Such text is not well-formed, and whoever hands
 * it to the system takes its bytes from here.
 */
const firstSurrogate = 0xdc00;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text for the bytes of a name or of a path. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : firstSurrogate + byte)).join('');
  }
}

/** The same for bytes that come as characters U+0000 to U+00FF (the encoding 'latin1' of Node). */
export function textOfLatin1(characters: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
  return /^[\x00-\x7f]*$/.test(characters) ? characters : textOfBytes(Buffer.from(characters, 'latin1'));
}

/** The bytes of a name or of a path. Of a path, names that are UTF-8 and others may take turns. */
export function bytesOfText(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code >= firstSurrogate + 0x80 && code <= firstSurrogate + 0xff ? Buffer.of(code - firstSurrogate) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

/** How many bytes a name has. */
export function byteLengthOfText(text: string): number {
  return text.isWellFormed() ? Buffer.byteLength(text) : bytesOfText(text).length;
}

/** A path as node:fs takes it: text where that is enough. */
export function pathArgument(path: string): string | Buffer {
  return path.isWellFormed() ? path : bytesOfText(path);
}
