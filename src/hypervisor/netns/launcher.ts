import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { NfioError } from '../../errors/index.ts';
import { sealedStdio, spawnError } from '../../network/index.ts';
import { searchPath } from './search-path.ts';

/** What is told of a guest that is being started. */
export interface LaunchReport {
  readonly word: 'pid' | 'ready' | 'fail';
  /** The pid; or the number of what failed as in errno(3), 0 for none, and a sentence "STEP: WHY". */
  readonly rest: string;
}

/** The program, beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'guest-launcher.pl');

/** The arguments of a process are as long as they were when it began: room for the label that init shows there (names have 63 bytes). */
const labelBytes = 256;

const maxRequestBytes = 4 * 1024 * 1024;

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** The process that forks guests off (guest-launcher.pl says how). It is started when first needed, and again when it died. */
export class Launcher implements AsyncDisposable {
  readonly #mountId: string;
  readonly #waiting = new Map<number, (report: LaunchReport) => void>();
  #count = 0;
  #child: Child | undefined;
  #rest = '';

  /** @param mountId For people who look at the list of processes. */
  constructor(mountId: string) {
    this.#mountId = mountId;
  }

  /** Asks for a guest to be started; `take` hears of it until `forget`. Returns the number of the request. */
  request(words: readonly string[], take: (report: LaunchReport) => void): number {
    const number = ++this.#count;
    const record = encodeRequest([String(number), ...words]);
    const child = this.#child ?? this.#start();
    this.#waiting.set(number, take);
    this.#hold(true);
    child.stdin.write(record);
    return number;
  }

  /** Ends what `request` began. */
  forget(number: number): void {
    this.#waiting.delete(number);
    if (this.#waiting.size === 0) this.#hold(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#hold(true);
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  }

  #start(): Child {
    const child = spawn('perl', [program, `nfio-launcher ${this.#mountId}`.padEnd(labelBytes)], {
      cwd: '/',
      detached: true,
      stdio: sealedStdio(['pipe', 'pipe', 'ignore']),
      env: { PATH: searchPath },
    }) as Child;
    this.#child = child;
    this.#rest = '';
    child.stdin.on('error', () => undefined); // its end tells
    child.stdout.on('data', (chunk: Uint8Array) => this.#take(Buffer.from(chunk).toString()));
    child.once('error', (cause) => this.#ended(child, `0 ${spawnError('perl', cause).message}`));
    child.once('close', () => this.#ended(child, '0 launcher: it ended'));
    return child;
  }

  /** The process may exit while nobody waits. */
  #hold(hold: boolean): void {
    const verb = hold ? 'ref' : 'unref';
    this.#child?.[verb]();
    for (const pipe of [this.#child?.stdin, this.#child?.stdout] as readonly (Socket | undefined)[]) pipe?.[verb]();
  }

  #ended(child: Child, why: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const take of [...this.#waiting.values()]) take({ word: 'fail', rest: why });
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, number, word, rest = ''] = /^(\d+) (pid|ready|fail) (.*)$/.exec(line) ?? [];
      if (word !== undefined) this.#waiting.get(Number(number))?.({ word: word as LaunchReport['word'], rest });
    }
  }
}

function encodeRequest(words: readonly string[]): Buffer {
  if (words.some((word) => word.includes('\0')))
    throw new NfioError('InvalidValueError', { message: 'a command or environment variable holds a NUL character' });
  const text = Buffer.from(words.join('\0'));
  if (text.length > maxRequestBytes)
    throw new NfioError('InvalidValueError', { message: 'the command and environment of a guest may have 4 MiB together' });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text]);
}
