import type { Readable } from 'node:stream';

/** Far more than any answer that is read whole. */
const maxBytes = 64 * 1024 * 1024;

/** Reads a stream to its end. @throws Error with code EFBIG when it does not end within 64 MiB, and what the stream fails with. */
export async function readText(stream: Readable): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw Object.assign(new Error('the answer has no end'), { code: 'EFBIG' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
