import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../domain/ports/logger.ts';
import { boundLog } from '../bound-log.ts';
import { Demultiplexer, type Engine } from './engine/index.ts';
import { logFile, readJson, writeJson } from './guest-files.ts';

/** How far the log has been written. Time stamps tell lines apart, to the nanosecond; some lines share one. */
interface Position {
  /** Time stamp of the last piece, as Docker wrote it. */
  readonly stamp: string;
  /** Pieces with that very stamp that are in the file. */
  readonly pieces: number;
  /** Size of the file with them; 0 when the file was cut. */
  readonly size: number;
}

const beginning: Position = { stamp: '', pieces: 0, size: 0 };
/** The log is looked at after so much more. */
const boundEveryBytes = 1024 * 1024;

/**
 * Appends what a guest prints to a file, as its engine hands it out. It begins where the one before it left off, also in an earlier life
 * of nf.io: no piece is missed, none is written twice.
 */
export class LogFollower implements Disposable {
  readonly #path: string;
  readonly #positionPath: string;
  readonly #abort = new AbortController();
  /** Settles when the guest's output has ended, or cannot be followed any longer. */
  readonly done: Promise<void>;
  state: 'following' | 'complete' | 'broken' = 'following';
  #position: Position;
  #sinceBound = 0;

  constructor(engine: Engine, containerId: string, options: { readonly guestDir: string; readonly logger: Logger }) {
    this.#path = logFile(options.guestDir);
    this.#positionPath = join(options.guestDir, 'log.position');
    this.#position = readJson<Position>(this.#positionPath) ?? beginning;
    this.done = this.#follow(engine, containerId).then(
      () => {
        this.state = 'complete';
      },
      (error: Error) => {
        this.state = 'broken';
        if (!this.#abort.signal.aborted) options.logger.debug(`log of container ${containerId.slice(0, 12)}: ${error.message}`);
      },
    );
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }

  async #follow(engine: Engine, containerId: string): Promise<void> {
    const file = openSync(this.#path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
    try {
      this.#cutUnrecorded(file);
      const query = { follow: true, stdout: true, stderr: true, timestamps: true, since: secondsOf(this.#position.stamp) };
      const answer = await engine.stream({ method: 'GET', path: `/containers/${containerId}/logs`, query }, this.#abort.signal);
      const frames = new Demultiplexer();
      let known = this.#position.pieces;
      const last = this.#position.stamp;
      for await (const chunk of answer as AsyncIterable<Uint8Array>) {
        const pieces = frames.take(chunk).map(({ bytes }) => splitStamp(Buffer.from(bytes)));
        // What carries the last stamp and is in the file already comes again, and nothing before it.
        const fresh = pieces.filter(({ stamp }) => stamp > last || (stamp === last && --known < 0));
        this.#append(file, fresh);
        await this.#bound(file);
      }
    } finally {
      closeSync(file);
    }
  }

  /** What was appended and not recorded, before nf.io was killed, will be handed out again. */
  #cutUnrecorded(file: number): void {
    const { size } = this.#position;
    if (size > 0 && fstatSync(file).size > size) ftruncateSync(file, size);
  }

  #append(file: number, pieces: readonly Piece[]): void {
    const last = pieces.at(-1);
    if (last === undefined) return;
    const text = Buffer.concat(pieces.map(({ bytes }) => bytes));
    writeSync(file, text);
    this.#sinceBound += text.length;
    const same = pieces.filter(({ stamp }) => stamp === last.stamp).length;
    const before = last.stamp === this.#position.stamp ? this.#position.pieces : 0;
    this.#record({ stamp: last.stamp, pieces: before + same, size: fstatSync(file).size });
  }

  async #bound(file: number): Promise<void> {
    if (this.#sinceBound < boundEveryBytes) return;
    this.#sinceBound = 0;
    if (await boundLog(this.#path)) this.#record({ ...this.#position, size: fstatSync(file).size });
  }

  #record(position: Position): void {
    this.#position = position;
    writeJson(this.#positionPath, position);
  }
}

interface Piece {
  readonly stamp: string;
  readonly bytes: Uint8Array;
}

/** Each frame of a log with time stamps begins with one, of fixed length, and a space. */
function splitStamp(frame: Buffer): Piece {
  const space = frame.indexOf(0x20);
  return { stamp: frame.toString('latin1', 0, space), bytes: frame.subarray(space + 1) };
}

/** A time stamp as seconds since 1970 with nine decimals, as the Engine API takes it. */
function secondsOf(stamp: string): string | undefined {
  if (stamp === '') return undefined;
  const [, whole = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(stamp) ?? [];
  return `${Date.parse(`${whole}Z`) / 1000}.${fraction.padEnd(9, '0')}`;
}
