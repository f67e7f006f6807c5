import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { NfioError } from '../errors/index.ts';
import { spawnError } from './run-program.ts';
import { sealedStdio } from './sealed-stdio.ts';
import { SignOfLife } from './sign-of-life.ts';

/** A command of ip-batch that failed. */
export interface BatchFailure {
  /** Its place in the group. */
  readonly index: number;
  /** What ip said, one line. */
  readonly message: string;
}

/** How a group of commands ended. */
export interface BatchResult {
  readonly failures: readonly BatchFailure[];
  /** What the commands after the last failure printed, up to ten lines. */
  readonly output: readonly string[];
}

/** After so long without a word, and so much more for each command, a group of commands is given up, milliseconds. */
const lostMs = 10_000;
const lostMsPerCommand = 5;

interface Group {
  readonly size: number;
  readonly firstLine: number;
  readonly failures: BatchFailure[];
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: NfioError) => void;
  said: string[];
}

/** Enters the namespace, keeps bridged frames from the machine's netfilter hooks and IPv6 quiet, and becomes ip. Errors share the pipe, so that order tells whose they are. */
const script = `
for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ -e "$f" ] && echo 0 >"$f"; done
for f in /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv6/conf/default/disable_ipv6; do [ -e "$f" ] && echo 1 >"$f"; done
exec ip -o -force -batch - 2>&1`;

/**
 * One long-lived `ip -force -batch -` inside a network namespace. Groups of commands are written as they come and answered in
 * order: each ends with a question about lo, whose answer is the acknowledgement. A failed command is found by its line number.
 * When the process dies, groups in flight are rejected and the next one starts another.
 */
export class IpBatch implements Disposable {
  readonly #netnsPath: string;
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #inFlight: Group[] = [];
  #linesWritten = 0;
  #rest = '';
  #life: SignOfLife | undefined;

  constructor(netnsPath: string) {
    this.#netnsPath = netnsPath;
  }

  /** Runs a group of commands, all of them even when some fail. */
  run(commands: readonly string[]): Promise<BatchResult> {
    if (commands.length === 0) return Promise.resolve({ failures: [], output: [] });
    const child = this.#child ?? this.#start();
    this.#holdProcess(true);
    return new Promise((resolve, reject) => {
      this.#inFlight.push({ size: commands.length, firstLine: this.#linesWritten + 1, failures: [], resolve, reject, said: [] });
      this.#linesWritten += commands.length + 1;
      this.#watch(child);
      child.stdin.write(`${commands.join('\n')}\nlink show dev lo\n`);
    });
  }

  /** /proc/PID/net/dev as it is in the namespace. Call it when a group has been run. @throws NetworkError when the process ended since. */
  readNetDev(): string {
    try {
      return readFileSync(`/proc/${this.#child?.pid}/net/dev`, 'latin1');
    } catch (cause) {
      throw new NfioError('NetworkError', { message: 'the program ip ended unexpectedly. Try again', retryable: true, cause });
    }
  }

  /** The process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  [Symbol.dispose](): void {
    this.#child?.stdin.end();
    this.#child?.stdin.destroy();
    this.#child?.kill();
    this.#child = undefined;
  }

  /** The process may exit while no group is in flight. */
  #holdProcess(hold: boolean): void {
    const verb = hold ? 'ref' : 'unref';
    this.#child?.[verb]();
    for (const pipe of [this.#child?.stdin, this.#child?.stdout] as readonly (Socket | undefined)[]) pipe?.[verb]();
  }

  /** Gives a process up that hangs, and has the next group start another. */
  #watch(child: ChildProcessByStdio<Writable, Readable, null>): void {
    this.#life?.end();
    const commands = this.#inFlight.reduce((sum, { size }) => sum + size, 0);
    const lost = (): void => {
      const message = `ip (process ${child.pid}) did not answer for ${lostMs / 1000} s and was killed; try again`;
      child.kill('SIGKILL');
      this.#ended(child, new NfioError('NetworkError', { errno: 'ETIMEDOUT', message, retryable: true }));
    };
    this.#life = new SignOfLife({ askMs: commands * lostMsPerCommand, lostMs, lost });
    this.#life.begin();
  }

  #start(): ChildProcessByStdio<Writable, Readable, null> {
    const child = spawn('nsenter', [`--net=${this.#netnsPath}`, '--', 'sh', '-c', script], {
      stdio: sealedStdio(['pipe', 'pipe', 'ignore']),
    }) as ChildProcessByStdio<Writable, Readable, null>;
    this.#child = child;
    this.#linesWritten = 0;
    this.#rest = '';
    child.stdin.on('error', () => undefined); // seen as its end
    child.stdout.on('data', (chunk: Uint8Array) => this.#take(Buffer.from(chunk).toString()));
    child.once('error', (cause) => this.#ended(child, spawnError('nsenter', cause)));
    child.once('close', () =>
      this.#ended(child, new NfioError('NetworkError', { message: 'the program ip ended unexpectedly. Try again', retryable: true })),
    );
    return child;
  }

  #ended(child: ChildProcessByStdio<Writable, Readable, null>, error: NfioError): void {
    if (this.#child !== child && this.#child !== undefined) return;
    this.#child = undefined;
    this.#life?.end();
    const lost = this.#inFlight;
    this.#inFlight = [];
    for (const group of lost) group.reject(error);
  }

  #take(text: string): void {
    this.#life?.heard();
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    const group = this.#inFlight[0];
    if (group === undefined) return;
    const failed = /^Command failed -:(\d+)$/.exec(line);
    if (failed !== null) {
      group.failures.push({ index: Number(failed[1]) - group.firstLine, message: group.said.join(' ').slice(0, 300) || 'ip failed' });
      group.said = [];
    } else if (line.startsWith('1: lo:')) {
      this.#inFlight.shift();
      if (this.#inFlight.length === 0) {
        this.#life?.end();
        this.#holdProcess(false);
      }
      group.resolve({ failures: group.failures.filter(({ index }) => index < group.size), output: group.said });
    } else if (group.said.length < 10) {
      group.said.push(line.trim());
    }
  }
}
