import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const startTimeoutMs = 30_000;

/**
 * Makes what libvirt keeps on a machine this daemon's own, and /dev/kvm as udev leaves it: libvirt probes QEMU again at each call where its user may not open it.
 * Argument: the daemon's directory. It says when it is done, and stays, so that the namespace does.
 */
const script = `
at=$1
mkdir -p /run/libvirt /var/log/libvirt /var/cache/libvirt
for each in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mkdir -p "$at/copy" && cp -a "$each/." "$at/copy/"
  mount -t tmpfs -o mode=755 tmpfs "$each"
  cp -a "$at/copy/." "$each/" && rm -rf "$at/copy"
done
rm -rf /run/libvirt/* /etc/libvirt/qemu/*.xml
cp "$at/qemu.conf" /etc/libvirt/qemu.conf
ln -s "$at/libvirt-sock" /run/libvirt/libvirt-sock
if [ -e /dev/kvm ]; then
  mknod "$at/kvm" c 10 232 && chown root:kvm "$at/kvm" && chmod 660 "$at/kvm"
  mount --bind "$at/kvm" /dev/kvm
fi
echo done
exec sleep infinity`;

/** A libvirtd of a test's own: its domains, settings and state are in a mount namespace, away from those of the machine. */
export class LibvirtDaemon implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'nfio-libvirtd-'));
  readonly socket = join(this.directory, 'libvirt-sock');
  readonly uri = `qemu+unix:///system?socket=${this.socket}`;
  /** A process that is in the namespace for as long as this object lives. */
  readonly #holder: ChildProcess;

  private constructor(settings: readonly string[]) {
    const own = [`unix_sock_dir = "${this.directory}"`, 'auth_unix_rw = "none"', 'log_outputs = "3:stderr"', ...settings];
    writeFileSync(join(this.directory, 'libvirtd.conf'), own.map((line) => `${line}\n`).join(''));
    writeFileSync(join(this.directory, 'qemu.conf'), 'stdio_handler = "file"\n');
    this.#holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', this.directory], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }

  /**
   * Starts one.
   *
   * @param settings lines of libvirtd.conf.
   * @param flags more of its arguments.
   */
  static async start(settings: readonly string[] = [], flags: readonly string[] = []): Promise<LibvirtDaemon> {
    const daemon = new LibvirtDaemon(settings);
    await new Promise((resolve) => daemon.#holder.stdout?.once('data', resolve));
    await daemon.run(flags);
    return daemon;
  }

  /** Starts the daemon, again if need be, with what it had. */
  async run(flags: readonly string[] = []): Promise<void> {
    const argv = ['--config', join(this.directory, 'libvirtd.conf'), '--pid-file', join(this.directory, 'pid'), ...flags];
    spawn('nsenter', ['--target', String(this.#holder.pid), '--mount', '--', 'libvirtd', ...argv], { stdio: 'ignore' }).unref();
    for (const end = performance.now() + startTimeoutMs; !existsSync(this.socket); await sleep(50)) {
      if (performance.now() > end) throw new Error('libvirtd does not start');
    }
  }

  /** Starts a program beside the daemon, where a socket in /run/libvirt is the daemon's. */
  spawn(argv: readonly string[]): ChildProcess {
    return spawn('nsenter', ['--target', String(this.#holder.pid), '--mount', '--', ...argv], { stdio: 'ignore' });
  }

  /** Ends the daemon as a crash would; what it runs goes on. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
    rmSync(this.socket, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGTERM').catch(() => undefined); // it has ended
    this.#holder.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const pid = Number(readFileSync(join(this.directory, 'pid'), 'latin1'));
    process.kill(pid, signal);
    for (let tries = 0; tries < 500 && existsSync(`/proc/${pid}`); tries++) await sleep(20);
  }
}

/** The reason why there can be no libvirt here, or undefined. */
export function whyNoLibvirt(): string | undefined {
  if (process.getuid?.() !== 0) return 'virtual machines need root';
  const missing = ['/usr/sbin/libvirtd', '/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-img'].filter((path) => !existsSync(path));
  return missing.length === 0 ? undefined : `${missing.join(', ')}: apt-get install libvirt-daemon-system qemu-system-x86 qemu-utils`;
}
