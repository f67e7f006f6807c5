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
  /** The requests of the mount that ended so: the kernel's functions that led there, newest first. */
  readonly #stacks: string[][] = [];
  /** That of the request whose functions come now; undefined: of another mount. */
  #stack: string[] | undefined;

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

  /** How many no handler saw. */
  get count(): number {
    return this.#stacks.filter(isLost).length;
  }

  /** How each of the others was ended: its server answered so, if by fuse_dev_do_write(). */
  get others(): readonly string[] {
    return this.#stacks.filter((stack) => !isLost(stack)).map((stack) => stack.join(' <- '));
  }

  #note(line: string): void {
    const [, connection] = /fuse_request_end: connection (\d+) /.exec(line) ?? [];
    if (connection !== undefined) {
      this.#stack = Number(connection) === this.#watched ? [] : undefined;
      if (this.#stack !== undefined) this.#stacks.push(this.#stack);
    }
    const [, called] = /^ => (\S+)/.exec(line) ?? [];
    if (called !== undefined) this.#stack?.push(called);
  }

  /** Ends, with all that was seen counted. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }
}

function isLost(stack: readonly string[]): boolean {
  return stack.some((called) => called.startsWith('fuse_dev_do_read'));
}
