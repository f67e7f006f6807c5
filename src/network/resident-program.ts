import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { Errno, errnoName, NfioError } from '../errors/index.ts';
import { spawnError } from './run-program.ts';
import { sealedStdio } from './sealed-stdio.ts';
import { SignOfLife } from './sign-of-life.ts';

/** One line that a resident program says of a request: a word, and what belongs to it. */
export interface Report {
  readonly word: string;
  readonly rest: string;
}

/** The arguments of a process are as long as they were when it began: room for a title that it, or a child of it, shows later. */
const titleBytes = 256;

/** When a program that is waited for is asked whether it is there, and when it is given up then. Milliseconds. */
const askMs = 1000;
const lostMs = 10_000;
/** What a program may take to end by itself, milliseconds. */
const endMs = 2000;
/** The number of such a question, which no request has. */
const ping = ['0', 'ping'];

const maxRequestBytes = 4 * 1024 * 1024;

type Child = ChildProcessByStdio<Writable, Readable, null>;

/**
 * A program in Perl that stays and carries out requests, as network-requests.pl reads them. It is started when first needed, and again when it died, or was
 * killed because it hangs (it was stopped, or the kernel holds it). What is under way then has failed: it is reported as `fail ERRNO TITLE: WHY`.
 */
export class ResidentProgram implements AsyncDisposable {
  readonly #path: string;
  readonly #title: string;
  readonly #env: NodeJS.ProcessEnv | undefined;
  readonly #waiting = new Map<number, (report: Report) => void>();
  #count = 0;
  #child: Child | undefined;
  #rest = '';
  readonly #life = new SignOfLife({ askMs, lostMs, ask: () => this.#child?.stdin.write(encodeRequest(ping)), lost: () => this.#lost() });

  /** @param title For people who look at the list of processes. */
  constructor(path: string, options: { readonly title: string; readonly env?: NodeJS.ProcessEnv }) {
    this.#path = path;
    this.#title = options.title;
    this.#env = options.env;
  }

  /** Sends a request; `take` hears of it until `forget`. Returns the number of the request. @throws InvalidValueError for words that cannot be sent. */
  request(words: readonly string[], take: (report: Report) => void): number {
    const number = ++this.#count;
    const record = encodeRequest([String(number), ...words]);
    const child = this.#child ?? this.#start();
    this.#waiting.set(number, take);
    this.#hold(true);
    this.#life.begin();
    child.stdin.write(record);
    return number;
  }

  /** Ends what `request` began. */
  forget(number: number): void {
    this.#waiting.delete(number);
    if (this.#waiting.size > 0) return;
    this.#life.end();
    this.#hold(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#hold(true);
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), endMs);
    await ended;
    clearTimeout(timer);
  }

  #start(): Child {
    const child = spawn('perl', [this.#path, this.#title.padEnd(titleBytes)], {
      cwd: '/',
      detached: true,
      stdio: sealedStdio(['pipe', 'pipe', 'ignore']),
      env: this.#env,
    }) as Child;
    this.#child = child;
    this.#rest = '';
    child.stdin.on('error', () => undefined); // its end tells
    child.stdout.on('data', (chunk: Uint8Array) => this.#take(Buffer.from(chunk).toString()));
    child.once('error', (cause) => this.#ended(child, `0 ${spawnError('perl', cause).message}`));
    child.once('close', () => this.#ended(child, `0 ${this.#title}: it ended`));
    return child;
  }

  /** The process may exit while nobody waits. */
  #hold(hold: boolean): void {
    const verb = hold ? 'ref' : 'unref';
    this.#child?.[verb]();
    for (const pipe of [this.#child?.stdin, this.#child?.stdout] as readonly (Socket | undefined)[]) pipe?.[verb]();
  }

  /** The next request starts another. */
  #lost(): void {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGKILL');
    this.#ended(
      child,
      `${Errno.ETIMEDOUT} ${this.#title}: process ${child.pid} did not answer for ${lostMs / 1000} s and was killed; try again`,
    );
  }

  #ended(child: Child, why: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#life.end();
    for (const take of [...this.#waiting.values()]) take({ word: 'fail', rest: why });
  }

  #take(text: string): void {
    this.#life.heard();
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, number, word, rest = ''] = /^(\d+) (\w+) (.*)$/.exec(line) ?? [];
      if (word !== undefined) this.#waiting.get(Number(number))?.({ word, rest });
    }
  }
}

/** What a program reports as `fail ERRNO STEP: WHY`, as a failure of what it was asked about. */
export function networkFailure(about: string, said: string): NfioError {
  const [, number = '0', why = said] = /^(\d+) (.*)$/.exec(said) ?? [];
  return new NfioError('NetworkError', { errno: errnoName(Number(number)) ?? 'EIO', message: `${about}: ${why}` });
}

/** A list among the words of a request: how many there are, then they. */
export function listWords(list: readonly string[]): string[] {
  return [String(list.length), ...list];
}

/** A request as these programs read it. @throws InvalidValueError for words that cannot be sent. */
export function encodeRequest(words: readonly string[]): Buffer {
  if (words.some((word) => word.includes('\0')))
    throw new NfioError('InvalidValueError', { message: 'a command or environment variable holds a NUL character' });
  const text = Buffer.from(words.join('\0'));
  if (text.length > maxRequestBytes)
    throw new NfioError('InvalidValueError', { message: 'the command and environment of a guest may have 4 MiB together' });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text]);
}
