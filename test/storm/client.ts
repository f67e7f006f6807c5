import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Kind, Said } from './kind.ts';

/** How long a client may take to end once the round is over; then it hangs. Milliseconds. */
const endTimeoutMs = 120_000;

/** What the clients of a round share. */
export interface Round {
  readonly number: number;
  readonly seed: number;
  /** The mountpoint. */
  readonly path: string;
  /** A directory outside of the mount. */
  readonly scratch: string;
  /** A file that is there once the round is over. */
  readonly stop: string;
}

/** What a client said in a round, and whether it ended well. */
export interface Ended {
  readonly said: readonly Said[];
  /** Undefined: it ended by itself, and printed no error. */
  readonly trouble: string | undefined;
}

/** A client of a kind, at work: a process of its own in the mount. */
export class Client {
  readonly kind: Kind;
  readonly #said: Said[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<string | undefined>;

  constructor(kind: Kind, round: Round) {
    this.kind = kind;
    const { language, text } = kind.program;
    const [program, ...argv] =
      language === 'python' ? ['python3', '-c', text] : ['bash', '-c', `. ${join(import.meta.dirname, 'storm.sh')}\n${text}`];
    this.#child = spawn(program as string, argv, {
      cwd: round.path,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        LC_ALL: 'C.UTF-8',
        PYTHONPATH: import.meta.dirname,
        PYTHONDONTWRITEBYTECODE: '1',
        STORM_ROUND: String(round.number),
        STORM_SEED: String(round.seed),
        STORM_STOP: round.stop,
        STORM_ERRORS: join(round.scratch, `errors.${kind.name}`),
      },
    });
    this.#ended = this.#listen();
  }

  #listen(): Promise<string | undefined> {
    const { stdout, stderr } = this.#child;
    let errors = '';
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#note(line));
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    return new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (status, signal) => {
        const isWell = status === 0 && errors === '';
        resolve(isWell ? undefined : `${this.kind.name} ended with ${signal ?? `status ${status}`}: ${errors.slice(-1000)}`);
      });
    });
  }

  #note(line: string): void {
    const [word = ''] = line.split(' ', 1);
    this.#said.push({ word, rest: line.slice(word.length + 1).trim(), atMs: Date.now() });
  }

  /** Waits for its end, when it has been told that the round is over. */
  async end(): Promise<Ended> {
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      process.kill(-(this.#child.pid as number), 'SIGKILL');
    }, endTimeoutMs);
    const trouble = await this.#ended;
    clearTimeout(timer);
    return {
      said: this.#said,
      trouble: hangs ? `${this.kind.name} hangs; it said last: ${JSON.stringify(this.#said.slice(-2))}` : trouble,
    };
  }
}
