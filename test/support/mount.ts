import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type MountOptions, startDaemon } from '../../src/daemon/index.ts';
import { FuseMountError, unmount } from '../../src/fuse/mount.ts';
import { patient } from './patience.ts';
import { type ShellOptions, type ShellResult, shell } from './shell.ts';

/** How long the daemon of a mount may take to end after an unmount, milliseconds. */
const endTimeoutMs = 20_000;

/** What a test may choose of its mount. */
export interface TestMountOptions
  extends Partial<
    Pick<MountOptions, 'modules' | 'attrTimeoutMs' | 'resend' | 'hypervisor' | 'dockerSocket' | 'insecureEngines' | 'libvirtUri'>
  > {
  /** An existing root directory. Default: a new one, removed with the mount. */
  readonly root?: string;
}

/**
 * A real mount in a directory of its own. The daemon is another process, so that a test may use any file call on it. Disposing destroys the
 * VNFs in it, unmounts and waits until the daemon has ended.
 */
export class TestMount implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly root: string;
  readonly #directory: string;
  readonly #options: TestMountOptions;
  #supervisor: number;
  #warnings: readonly string[] = [];

  private constructor(directory: string, options: TestMountOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#supervisor = 0;
    this.path = join(directory, 'mnt');
    this.root = options.root ?? join(directory, 'root');
  }

  static async start(options: TestMountOptions = {}): Promise<TestMount> {
    const directory = await mkdtemp(join(tmpdir(), 'nfio-test-'));
    const mount = new TestMount(directory, options);
    try {
      // Other users pass too.
      await chmod(directory, 0o755);
      await mkdir(mount.path);
      await mount.mount();
      return mount;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Pid of the supervisor. */
  get supervisor(): number {
    return this.#supervisor;
  }

  /** What the last mount told its user. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Pid of the server that answers now. */
  async server(): Promise<number> {
    for (const deadline = Date.now() + patient(endTimeoutMs); Date.now() < deadline; await delay(20)) {
      const children = await readFile(`/proc/${this.#supervisor}/task/${this.#supervisor}/children`, 'utf8');
      const pid = Number(children.trim().split(' ')[0]);
      if (pid > 0) return pid; // kill(0) would end the tests themselves
    }
    throw new Error(`the supervisor ${this.#supervisor} has no server in time`);
  }

  /** Mounts (again, after unmount or a crash). */
  async mount(): Promise<void> {
    const { root: _, ...chosen } = this.#options;
    const options = { mountpoint: this.path, root: this.root, hypervisor: 'netns', logLevel: 'info', foreground: false } as const;
    const { pid, warnings } = await startDaemon({ ...options, ...chosen });
    this.#supervisor = pid;
    this.#warnings = warnings;
  }

  /** Unmounts and waits for the daemon's end. Guests go on. */
  async unmount(options: { readonly lazy?: boolean } = {}): Promise<void> {
    await unmount(this.path, options);
    await this.ended(this.#supervisor);
  }

  /** Waits until a process has ended. */
  async ended(pid: number): Promise<void> {
    const deadline = Date.now() + patient(endTimeoutMs);
    while (isRunning(await statOf(pid))) {
      if (Date.now() > deadline) throw new Error(`process ${pid} is still there in time`);
      await delay(20);
    }
  }

  /** Runs a script by bash with the mountpoint as its directory. */
  sh(script: string, options: ShellOptions = {}): Promise<ShellResult> {
    return shell(script, { cwd: this.path, ...options });
  }

  /** Runs a script that must succeed. @returns what it printed. */
  async run(script: string, options: ShellOptions = {}): Promise<string> {
    const result = await this.sh(`set -e; ${script}`, options);
    assert.equal(result.status, 0, `status ${result.status} of: ${script}\n${result.stdout}${result.stderr}${await this.log()}`);
    return result.stdout;
  }

  /** The end of the daemon's log. */
  async log(): Promise<string> {
    return (await readFile(join(this.root, 'daemon.log'), 'utf8').catch(() => '')).slice(-4000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.sh('for action in nf-types/*/*/action; do [ ! -e "$action" ] || echo destroy > "$action"; done', { cwd: this.path });
      await this.unmount().catch(async (error: unknown) => {
        if (!(error instanceof FuseMountError)) throw error;
        await this.unmount({ lazy: true }).catch(() => undefined);
      });
    } finally {
      await rm(this.#directory, { recursive: true, force: true });
    }
  }
}

/** The state letter of a process, empty when there is none. */
async function statOf(pid: number): Promise<string> {
  if (!existsSync(`/proc/${pid}`)) return '';
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
}

function isRunning(state: string): boolean {
  return state !== '' && state !== 'Z';
}
