import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadTestImages } from './guest-image.ts';

const startTimeoutMs = 60_000;

/** How to start an engine. */
export interface TestEngineOptions {
  /** More arguments of dockerd, given the engine's own directory. */
  readonly flags?: (directory: string) => readonly string[];
  /** True: in a network namespace of its own, where it may have a bridge. */
  readonly ownNetwork?: boolean;
  /** What dockerd is started through: `nsenter --net=…`. */
  readonly through?: readonly string[];
  /** False: without the images of guest-image.ts. */
  readonly images?: boolean;
  /** Where it keeps images. Default: in its own directory, removed with it. */
  readonly dataRoot?: string;
}

/** A Docker Engine of a test file's own: nothing of the machine's engine, if it has one, is touched. Disposing ends it with all that it holds. */
export class TestEngine implements AsyncDisposable {
  readonly directory: string;
  readonly socket: string;
  readonly #options: TestEngineOptions;
  #process: ChildProcess | undefined;
  #flags: readonly string[] | undefined;
  readonly #onExit = (): void => void this.#process?.kill();

  private constructor(options: TestEngineOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'nfio-docker-'));
    this.socket = join(this.directory, 'docker.sock');
    this.#options = options;
    process.once('exit', this.#onExit);
  }

  static async start(options: TestEngineOptions = {}): Promise<TestEngine> {
    const engine = new TestEngine(options);
    try {
      await engine.run();
      if (options.images !== false) await loadTestImages(engine.socket);
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts dockerd (again). */
  async run(): Promise<void> {
    const { directory, socket } = this;
    const { through = [], dataRoot = join(directory, 'data'), ownNetwork = false } = this.#options;
    this.#flags ??= this.#options.flags?.(directory) ?? [];
    const flags = this.#flags;
    const alone = ownNetwork ? ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'] : [];
    mkdirSync(dataRoot, { recursive: true });
    writeFileSync(join(directory, 'daemon.json'), '{}');
    const own = ['--config-file', join(directory, 'daemon.json'), '--data-root', dataRoot, '--exec-root', join(directory, 'exec')];
    const network = flags.some((flag) => flag.startsWith('--bridge') || flag.startsWith('--bip'))
      ? []
      : ['--bridge=none', '--iptables=false'];
    const argv = [...alone, ...through, 'dockerd', ...own, '-p', join(directory, 'pid'), '-H', `unix://${socket}`, ...network, ...flags];
    const log = openSync(join(directory, 'log'), 'a');
    this.#process = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process.unref();
    const deadline = performance.now() + startTimeoutMs;
    while (!(await answers(socket))) {
      if (performance.now() > deadline || this.#process.exitCode !== null) throw new Error(`dockerd does not start:\n${this.log()}`);
      await sleep(50);
    }
  }

  /** Ends dockerd as the machine's shutdown would, or at once. Containers end with it unless it is killed. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const { exitCode, signalCode } = this.#process ?? {};
    if (this.#process === undefined || exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process?.once('exit', resolve));
    this.#process.ref();
    this.#process.kill(signal);
    await ended;
    if (signal === 'SIGKILL') await this.#endContainerd();
  }

  /** What an engine that was killed had mounted. */
  #unmount(): void {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    const own = mounts
      .filter((path) => path.startsWith(`${this.directory}/`))
      .sort()
      .reverse();
    if (own.length > 0) execFileSync('umount', ['--lazy', ...own]);
  }

  /** Its containerd ends with it, a little later; a dockerd that is started meanwhile would wait for it in vain. */
  async #endContainerd(): Promise<void> {
    const pid = Number(readFileSync(join(this.directory, 'exec/containerd/containerd.pid'), 'utf8'));
    const deadline = performance.now() + 5000;
    while (existsSync(`/proc/${pid}/exe`) && performance.now() < deadline) await sleep(20);
    if (existsSync(`/proc/${pid}/exe`)) process.kill(pid, 'SIGKILL');
    for (const file of ['pid', 'exec/containerd/containerd.pid']) rmSync(join(this.directory, file), { force: true });
  }

  /** The end of what dockerd said. */
  log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8').slice(-3000);
  }

  /** Asks the engine something, past nf.io. */
  async ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const { status, text } = await send(this.socket, method, path, body);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  /** Asks something that is answered by a stream, and reads that to its end. */
  async say(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
    return (await send(this.socket, method, path, undefined, headers)).text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.removeListener('exit', this.#onExit);
    const left = await this.ask<{ Id: string }[]>('GET', '/containers/json?all=1').catch(() => []);
    await Promise.all(left.map(({ Id }) => this.ask('DELETE', `/containers/${Id}?force=1&v=1`).catch(() => undefined)));
    await this.stop();
    this.#unmount();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Why there can be no engine here, or undefined. */
export function whyNoEngine(): string | undefined {
  if (process.getuid?.() !== 0) return 'an engine needs root';
  return existsSync('/usr/sbin/dockerd') ? undefined : 'dockerd is not installed: apt-get install docker.io';
}

function answers(socket: string): Promise<boolean> {
  return send(socket, 'GET', '/_ping').then(
    ({ status }) => status === 200,
    () => false,
  );
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', ...more };
    const outgoing = request({ socketPath, method, path, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
