import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMounted, Opcode, unmount } from '../../../src/fuse/index.ts';
import type { Command, ServerSettings } from './protocol.ts';

/** What the server has seen. */
export interface Seen {
  readonly counts: readonly number[];
  readonly errors: readonly string[];
  readonly outstanding: number;
}

/** A memory file system that is mounted and served by another process, for as long as it is not disposed of. */
export class MemoryMount implements AsyncDisposable {
  readonly path: string;
  readonly #server: ChildProcess;

  private constructor(path: string, server: ChildProcess) {
    this.path = path;
    this.#server = server;
  }

  static async start(settings: Partial<ServerSettings> = {}): Promise<MemoryMount> {
    const path = mkdtempSync(join(tmpdir(), 'nfio-fuse-'));
    const full: ServerSettings = { readdirPlus: true, defaultPermissions: true, ...settings, mountpoint: path };
    const server = fork(new URL('./server.ts', import.meta.url), [JSON.stringify(full)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const [message] = await Promise.race([once(server, 'message'), once(server, 'exit')]);
    if (typeof message !== 'object') throw new Error(`the server of the test ended with ${String(message)}`);
    return new MemoryMount(path, server);
  }

  async tell(command: Command): Promise<unknown> {
    const answer = once(this.#server, 'message');
    this.#server.send(command);
    const [{ result, error }] = (await answer) as [{ readonly result?: unknown; readonly error?: string }];
    if (error !== undefined) throw new Error(error);
    return result;
  }

  async seen(): Promise<Seen> {
    return (await this.tell({ do: 'counts' })) as Seen;
  }

  /** How many requests of an opcode have come. */
  async count(opcode: keyof typeof Opcode): Promise<number> {
    return (await this.seen()).counts[Opcode[opcode]] ?? 0;
  }

  /** Unmounts, waits for the server to end by itself; returns its exit status. */
  async end(): Promise<number | null> {
    const exit = this.#server.exitCode === null ? once(this.#server, 'exit') : [this.#server.exitCode];
    if (isMounted(this.path)) await unmount(this.path);
    const [status] = (await exit) as [number | null];
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.exitCode === null) {
      const exit = once(this.#server, 'exit');
      this.#server.kill('SIGKILL');
      await exit;
    }
    if (isMounted(this.path)) await unmount(this.path, { lazy: true });
    rmdirSync(this.path);
  }
}
