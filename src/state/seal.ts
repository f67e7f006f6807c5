import { crc32 } from 'node:zlib';

/** A sealed text begins so; old texts, which have no checksum, begin with a property whose value is not eight characters long. */
const sealed = /^\{\n {2}"(.{8})": "(.{8})",\n/s;

/** Eight hexadecimal digits that tell a text from every other that differs in a few bits (CRC-32, as in zlib). */
export function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/**
 * Puts the checksum of an indented JSON object into it, as its first property: the text stays one that jq and git can read.
 *
 * @example seal('{\n  "a": 1\n}\n') // '{\n  "checksum": "84ac9ce6",\n  "a": 1\n}\n'
 */
export function seal(text: string): string {
  return `{\n  "checksum": "${checksumOf(text)}",\n${text.slice(2)}`;
}

/**
 * The text that was sealed; one that never was, of an older version or edited by hand, is returned as it is. A flipped bit cannot make a sealed text look
 * like one: in the first line it leaves no JSON, or a name that is not `checksum`.
 *
 * @throws SyntaxError when it is not what was sealed.
 */
export function unseal(text: string): string {
  const [line, name, checksum] = sealed.exec(text) ?? [];
  if (line === undefined) return text;
  const body = `{\n${text.slice(line.length)}`;
  if (name !== 'checksum' || checksum !== checksumOf(body))
    throw new SyntaxError('its checksum does not fit: it was damaged. If you edited it, remove its line "checksum"');
  return body;
}
