/** A piece of a guest's output. */
export interface OutputFrame {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

const headerBytes = 8;
/** Docker itself sends at most 32 KiB in one. */
const maxFrameBytes = 16 * 1024 * 1024;
const none = new Uint8Array();

/**
 * Takes apart what an engine sends of a guest without a terminal: frames of a kind (1 stdout, 2 stderr), three zero bytes, a length in network byte
 * order, and so many bytes ("Stream format", Docker Engine API).
 */
export class Demultiplexer {
  #rest: Uint8Array = none;

  /** The frames that are whole now. @throws Error with code EPROTO for what cannot be one. */
  take(chunk: Uint8Array): OutputFrame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames: OutputFrame[] = [];
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const size = view.getUint32(at + 4);
      const kind = bytes[at] ?? 0;
      if (kind > 3 || size > maxFrameBytes) throw Object.assign(new Error('not a stream of frames'), { code: 'EPROTO' });
      if (bytes.length - at - headerBytes < size) break;
      const begin = at + headerBytes;
      frames.push({ stream: kind === 1 ? 'stdout' : 'stderr', bytes: bytes.subarray(begin, begin + size) });
      at = begin + size;
    }
    this.#rest = at === bytes.length ? none : Uint8Array.from(bytes.subarray(at));
    return frames;
  }
}
