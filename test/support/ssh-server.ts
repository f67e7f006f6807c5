import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { accepts } from './accepts.ts';

/** An sshd of a test's own, whose sessions find an engine at a socket; and an `ssh` that trusts it and is trusted, first on the PATH. */
export class SshServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #path = process.env['PATH'];

  private constructor(port: number, child: ChildProcess, bin: string) {
    this.port = port;
    this.#process = child;
    process.env['PATH'] = `${bin}:${this.#path}`;
  }

  static async start(directory: string, options: { readonly port: number; readonly dockerSocket: string }): Promise<SshServer> {
    const at = (name: string): string => join(directory, name);
    mkdirSync(at('bin'), { recursive: true });
    for (const key of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
    execFileSync('cp', [at('user.pub'), at('authorized')]);
    const server = [`Port ${options.port}`, 'ListenAddress 127.0.0.1', `HostKey ${at('host')}`, `AuthorizedKeysFile ${at('authorized')}`];
    const session = [
      `SetEnv DOCKER_HOST=unix://${options.dockerSocket}`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'PidFile none',
    ];
    writeFileSync(at('sshd_config'), [...server, ...session, ''].join('\n'));
    const client = [
      `IdentityFile ${at('user')}`,
      `UserKnownHostsFile ${at('known')}`,
      'StrictHostKeyChecking accept-new',
      'LogLevel ERROR',
    ];
    writeFileSync(at('ssh_config'), [...client, ''].join('\n'));
    writeFileSync(at('bin/ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at('ssh_config')} "$@"\n`);
    chmodSync(at('bin/ssh'), 0o755);
    if (!existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 }); // sshd's own, which its service would have made
    const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], { stdio: 'ignore' });
    child.unref();
    while (!(await accepts(options.port))) {
      if (child.exitCode !== null) throw new Error(`sshd ended with status ${child.exitCode}`);
      await sleep(50);
    }
    return new SshServer(options.port, child, at('bin'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.env['PATH'] = this.#path;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill();
    await ended;
  }
}
