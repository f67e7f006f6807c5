import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Streams an instance of the kernel's tracing with the requests of FUSE that end with EIO, each with the kernel's stack, until its input ends. */
const script = `
mount -t tracefs nfio-storm /sys/kernel && cd /sys/kernel && mkdir instances/"$1" && cd instances/"$1" || exit 1
echo 'error == -5' > events/fuse/fuse_request_end/filter && echo 'stacktrace if error == -5' > events/fuse/fuse_request_end/trigger &&
  echo 1 > events/fuse/fuse_request_end/enable || exit 1
cat trace_pipe & echo watching; read -r _; sleep 1; kill $!; wait
cd ..; rmdir "$1"`;

/**
 * Counts the requests that the kernel ended with EIO while it handed them to a server that was killed (ADR 8): no handler saw them. They are the only calls of a client that a
 * kill may fail.
 */
export class LostRequests implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** The minor number of the mount that is watched; another may have it afterwards. */
  #watched: number | undefined;
  /** That of the request whose stack follows. */
  #minor: number | undefined;
  count = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @returns undefined where the kernel cannot be watched. */
  static async watch(): Promise<LostRequests | undefined> {
    const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', `nfio-storm-${process.pid}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const watched = new LostRequests(child);
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const begun = await Promise.race([once(lines, 'line').then(() => true), once(child, 'exit').then(() => false)]);
    lines.on('line', (line) => watched.#note(line));
    return begun ? watched : undefined;
  }

  /** Counts for a mount from now on, by the device of its files (stat(2)). */
  of(device: number): void {
    this.#watched = (device % 0x100) + Math.floor(device / 0x10_0000) * 0x100;
  }

  #note(line: string): void {
    const [, connection] = /fuse_request_end: connection (\d+) /.exec(line) ?? [];
    if (connection !== undefined) this.#minor = Number(connection);
    if (!/=> fuse_dev_do_read/.test(line) || this.#minor === undefined) return;
    if (this.#minor === this.#watched) this.count += 1;
    this.#minor = undefined;
  }

  /** Ends, with all that was seen counted. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }
}
