import { NfioError } from '../../errors/index.ts';

const maxBytes = 1024 * 1024;

/**
 * Parses an nf_conf that says one thing a line, in words; # begins a comment.
 *
 * @param parse makes of the words of a line, which has a number from 1, what it says. It throws an Error that says what is wrong.
 * @throws ConfigurationError (EINVAL) naming the line.
 */
export function parseLines<Said>(text: string, parse: (words: readonly string[], line: number) => Said): Said[] {
  if (Buffer.byteLength(text) > maxBytes)
    throw new NfioError('ConfigurationError', { message: `nf_conf is larger than ${maxBytes} bytes` });
  return text.split('\n').flatMap((line, index) => {
    const words = wordsOf(line);
    if (words.length === 0) return [];
    try {
      return [parse(words, index + 1)];
    } catch (cause) {
      throw new NfioError('ConfigurationError', { message: `nf_conf line ${index + 1}: ${(cause as Error).message}` });
    }
  });
}

function wordsOf(line: string): string[] {
  return line
    .replace(/#.*/s, '')
    .split(/\s+/)
    .filter((word) => word !== '');
}
