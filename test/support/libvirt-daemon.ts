import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const startTimeoutMs = 30_000;

/**
 * Makes what libvirt keeps on a machine this daemon's own, and /dev/kvm as udev leaves it (libvirt probes QEMU again at each call where its user may not
 * open it). Arguments: the daemon's directory, then its arguments.
 */
const script = `
at=$1; shift
mkdir -p /run/libvirt /var/log/libvirt /var/cache/libvirt
for each in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mkdir -p "$at/copy" && cp -a "$each/." "$at/copy/"
  mount -t tmpfs -o mode=755 tmpfs "$each"
  cp -a "$at/copy/." "$each/" && rm -rf "$at/copy"
done
rm -rf /run/libvirt/* /etc/libvirt/qemu/*.xml
cp "$at/qemu.conf" /etc/libvirt/qemu.conf
if [ -e /dev/kvm ]; then
  mknod "$at/kvm" c 10 232 && chown root:kvm "$at/kvm" && chmod 660 "$at/kvm"
  mount --bind "$at/kvm" /dev/kvm
fi
exec libvirtd "$@"`;

/** A libvirtd of a test's own: its domains, settings and state are in a mount namespace, away from those of the machine. */
export class LibvirtDaemon implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'nfio-libvirtd-'));
  readonly socket = join(this.directory, 'libvirt-sock');
  readonly uri = `qemu+unix:///system?socket=${this.socket}`;
  readonly #process: ChildProcess;

  private constructor(settings: readonly string[], flags: readonly string[]) {
    const own = [`unix_sock_dir = "${this.directory}"`, 'auth_unix_rw = "none"', 'log_outputs = "3:stderr"', ...settings];
    writeFileSync(join(this.directory, 'libvirtd.conf'), own.map((line) => `${line}\n`).join(''));
    writeFileSync(join(this.directory, 'qemu.conf'), 'stdio_handler = "file"\n');
    this.#process = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', this.directory, ...this.#arguments, ...flags],
      { stdio: ['ignore', 'ignore', 'ignore'] },
    );
  }

  /**
   * Starts one.
   *
   * @param settings lines of libvirtd.conf.
   * @param flags more of its arguments.
   */
  static async start(settings: readonly string[] = [], flags: readonly string[] = []): Promise<LibvirtDaemon> {
    const daemon = new LibvirtDaemon(settings, flags);
    await daemon.#listening();
    return daemon;
  }

  /** Ends the daemon as a crash would; what it runs goes on. */
  async kill(): Promise<void> {
    process.kill(this.#pid, 'SIGKILL');
    await this.#gone(this.#pid);
    rmSync(this.socket, { force: true });
  }

  /** Starts it again where it was, with what it had. @param beside a process of the namespace, such as a QEMU. */
  async again(beside: number): Promise<void> {
    const child = spawn('nsenter', ['--target', String(beside), '--mount', '--', 'libvirtd', ...this.#arguments], { stdio: 'ignore' });
    child.unref();
    await this.#listening();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = this.#pid;
    try {
      process.kill(pid, 'SIGTERM');
      await this.#gone(pid);
    } catch {
      // it has ended
    }
    this.#process.unref();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get #arguments(): string[] {
    return ['--config', join(this.directory, 'libvirtd.conf'), '--pid-file', join(this.directory, 'pid')];
  }

  get #pid(): number {
    return Number(readFileSync(join(this.directory, 'pid'), 'latin1'));
  }

  async #listening(): Promise<void> {
    for (const end = performance.now() + startTimeoutMs; !existsSync(this.socket); await sleep(50)) {
      if (performance.now() > end) throw new Error('libvirtd does not start');
    }
  }

  async #gone(pid: number): Promise<void> {
    for (let tries = 0; tries < 500 && existsSync(`/proc/${pid}`); tries++) await sleep(20);
  }
}

/** The reason why there can be no libvirt here, or undefined. */
export function whyNoLibvirt(): string | undefined {
  if (process.getuid?.() !== 0) return 'virtual machines need root';
  const missing = ['/usr/sbin/libvirtd', '/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-img'].filter((path) => !existsSync(path));
  return missing.length === 0 ? undefined : `${missing.join(', ')}: apt-get install libvirt-daemon-system qemu-system-x86 qemu-utils`;
}
