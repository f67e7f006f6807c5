import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { GuestAccess } from '../../src/domain/middlebox.ts';
import type { ExecuteResult, GuestCommand } from '../../src/domain/ports/hypervisor.ts';
import { runProgram } from '../../src/network/index.ts';

/** Mounts a writable /etc and /run over the machine's, with the configuration at /etc/nfio, and becomes the service. */
const enter = `
set -e
mount -t tmpfs tmpfs /run
mkdir /run/etc /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
mkdir -p /etc/nfio
mount --bind "$1" /etc/nfio
ip link set lo up
shift
exec "$@"
`;

/** A guest with a main process: namespaces of its own, the machine's programs, its configuration at /etc/nfio. */
export class ServiceGuest implements GuestAccess, AsyncDisposable {
  readonly configDir: string;
  readonly ports: readonly string[] = [];
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #unshare: ChildProcess;

  constructor(configDir: string, command: readonly string[]) {
    this.configDir = configDir;
    const namespaces = ['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
    this.#unshare = spawn('unshare', [...namespaces, 'sh', '-c', enter, 'guest', configDir, ...command], { stdio: 'ignore' });
  }

  /** Starts a service on a configuration; it runs, or not yet, when this returns. */
  static async start(command: readonly string[], configuration: string): Promise<ServiceGuest> {
    const configDir = mkdtempSync(join(tmpdir(), 'nfio-service-'));
    writeFileSync(join(configDir, 'nf_conf'), configuration);
    const guest = new ServiceGuest(configDir, command);
    for (let tries = 0; tries < 200 && (await guest.executeInNetwork({ argv: ['test', '-d', '/run/nfio'] })).exitCode !== 0; tries += 1)
      await delay(20);
    return guest;
  }

  /** Process number of its main process as this machine sees it; 0 when it has ended. */
  get pid(): number {
    try {
      return Number(readFileSync(`/proc/${this.#unshare.pid}/task/${this.#unshare.pid}/children`, 'utf8').trim() || '0');
    } catch {
      return 0;
    }
  }

  async execute(command: GuestCommand): Promise<ExecuteResult> {
    const argv = ['nsenter', '-t', String(this.pid), '-n', '-m', '-p', '-u', '--', ...command.argv] as const;
    return await runProgram(argv, { signal: this.signal, input: command.stdin ?? '' });
  }

  executeInNetwork(command: GuestCommand): Promise<ExecuteResult> {
    return this.execute(command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#unshare.once('close', resolve));
    if (this.#unshare.exitCode === null && this.#unshare.kill('SIGKILL')) await ended;
    rmSync(this.configDir, { recursive: true, force: true });
  }
}
