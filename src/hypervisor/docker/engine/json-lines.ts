import type { Readable } from 'node:stream';

/** The longest line that is waited for. */
const maxLineChars = 4 * 1024 * 1024;

/** The objects of a stream that has one on each line. @throws SyntaxError for what is none, Error with code EFBIG for an endless line. */
export async function* jsonLines<Line>(stream: Readable): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineChars) throw Object.assign(new Error('a line has no end'), { code: 'EFBIG' });
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as Line;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as Line;
}
