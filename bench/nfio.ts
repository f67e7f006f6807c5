import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isMountpoint, run } from './processes.ts';
import { onOneCpu, type Workshop } from './workshop.ts';

const nfio = join(import.meta.dirname, '..', 'bin', 'nfio');
/** Any shell script that disposing a mount runs, to leave no guest behind. */
const destroyAll = 'for action in "$1"/nf-types/*/*/action; do [ -e "$action" ] && echo destroy >"$action"; done 2>/dev/null; true';

export interface NfioMountOptions {
  /** Server on the CPU that the clients use. */
  readonly oneCpu: boolean;
  /** More options of `nfio mount`. Default none. */
  readonly options?: readonly string[];
}

/** A mount of nf.io itself, with a new root. Disposing destroys its guests, unmounts it and ends its processes. */
export class NfioMount implements AsyncDisposable {
  readonly mountpoint: string;

  private constructor(mountpoint: string) {
    this.mountpoint = mountpoint;
  }

  /** Mounts below the workshop; the workshop unmounts. */
  static async start(workshop: Workshop, name: string, { oneCpu, options = [] }: NfioMountOptions): Promise<NfioMount> {
    const mountpoint = workshop.makeDirectory(name);
    const root = workshop.makeDirectory(`${name}-root`);
    const argv = [process.execPath, nfio, 'mount', '--root', root, ...options, mountpoint];
    const mount = workshop.use(new NfioMount(mountpoint));
    await run(oneCpu ? onOneCpu(argv) : argv, { signal: workshop.signal, timeoutMs: 30_000 });
    return mount;
  }

  path(...parts: readonly string[]): string {
    return join(this.mountpoint, ...parts);
  }

  /** Runs a constant shell script on the mount; its positional parameters are the mountpoint and `args`. */
  shell(script: string, ...args: readonly string[]): Promise<string> {
    return run(['bash', '-c', `set -e\n${script}`, 'bench', this.mountpoint, ...args], { timeoutMs: 300_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!isMountpoint(this.mountpoint)) return;
    await promisify(execFile)('bash', ['-c', destroyAll, 'bench', this.mountpoint], { timeout: 60_000 }).catch(() => undefined);
    await run([process.execPath, nfio, 'umount', this.mountpoint], { timeoutMs: 60_000 });
  }
}
