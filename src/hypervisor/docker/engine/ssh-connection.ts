import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { sealedStdio } from '../../../network/index.ts';
import type { EngineAddress } from './address.ts';

type SshAddress = Extract<EngineAddress, { kind: 'ssh' }>;

/** As much of what ssh says on standard error is kept, to be told. */
const keptBytes = 2000;

/** What `ssh` is run with. Never a shell's: the words of the address are arguments. */
export function sshArguments(address: SshAddress, connectTimeoutMs: number): string[] {
  const user = address.user === '' ? [] : ['-l', address.user];
  const port = address.port === undefined ? [] : ['-p', String(address.port)];
  const seconds = Math.max(1, Math.ceil(connectTimeoutMs / 1000));
  const options = ['-o', 'BatchMode=yes', '-o', `ConnectTimeout=${seconds}`, '-T', ...user, ...port];
  return [...options, '--', address.host, 'docker', 'system', 'dial-stdio'];
}

/**
 * A connection to an engine by the user's own `ssh`, with their configuration, agent and known hosts: the standard input and output of
 * `docker system dial-stdio` over there. It takes the place of a socket; what a socket has and a process has not does nothing.
 */
export class SshConnection extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #said = '';

  constructor(address: SshAddress, connectTimeoutMs: number) {
    super({ allowHalfOpen: true });
    this.#child = spawn('ssh', sshArguments(address, connectTimeoutMs), {
      stdio: sealedStdio(['pipe', 'pipe', 'pipe']),
      detached: true,
    }) as ChildProcessByStdio<Writable, Readable, Readable>;
    this.#child.once('error', (error) => this.destroy(error));
    this.#child.stdin.on('error', () => undefined); // seen as its end
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(0, keptBytes);
    });
    this.#child.stdout.on('data', (chunk: Uint8Array) => this.push(chunk) || this.#child.stdout.pause());
    this.#child.once('close', (code) => this.#ended(code));
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#child.stdin.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#child.kill('SIGKILL');
    callback(error);
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this.#hold('ref');
  }

  unref(): this {
    return this.#hold('unref');
  }

  #hold(verb: 'ref' | 'unref'): this {
    this.#child[verb]();
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr] as unknown as Socket[]) pipe[verb]();
    return this;
  }

  #ended(code: number | null): void {
    if (this.destroyed) return;
    if (code === 0) {
      this.push(null);
      return;
    }
    // ssh's own failures end it with 255, a missing program over there with 127 (ssh(1)).
    this.destroy(Object.assign(new Error(this.#said.trim().split('\n').at(-1) ?? ''), { code: 'ESSH', exitCode: code }));
  }
}
