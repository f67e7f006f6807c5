import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { NfioError } from '../../errors/index.ts';
import { runProgram } from '../run-program.ts';
import { aptSources, release } from './apt-sources.ts';

/** Lines of debootstrap for each package that it fetches, unpacks and so on, all in all about so many. */
const expectedLines = 455;
const keptChars = 2000;

/** True when this machine can make a base image itself. */
export async function hasDebootstrap(): Promise<boolean> {
  return (await runProgram(['debootstrap', '--version'], { timeoutMs: 10_000 })).exitCode === 0;
}

/**
 * Makes the root file system of a small Debian in a directory that does not exist yet; takes half a minute. Packages come from where this machine's
 * apt gets them. Services of packages that are installed in it later are not started.
 *
 * @throws MissingToolError without debootstrap, NotPermittedError without root, ImageBuildError with its last words when it fails.
 */
export async function makeDebian(
  directory: string,
  options: { readonly onProgress: (percent: number, what: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new NfioError('NotPermittedError', { message: 'debootstrap needs root. Run: sudo nfio images build' });
  const { mirror, list, proxies } = await aptSources();
  await mkdir(directory, { recursive: true });
  const env = { ...process.env, LC_ALL: 'C', ...proxies };
  await run(['--force-check-gpg', '--variant=minbase', release, directory, mirror], { ...options, env });
  await writeFile(join(directory, 'etc/apt/sources.list'), list.map((line) => `${line}\n`).join(''));
  await settle(directory);
}

/** What a guest never reads, and what debootstrap leaves. Packages that are installed later leave the former out, too. */
const unread = ['usr/share/doc', 'usr/share/info', 'usr/share/locale', 'usr/share/man'];
const left = ['var/cache/apt', 'var/lib/apt/lists', 'var/log/bootstrap.log', 'var/log/dpkg.log'];

/** Makes it small, and keeps services that packages bring from being started. */
async function settle(directory: string): Promise<void> {
  const excludes = unread.map((path) => `path-exclude=/${path}/*\n`).join('');
  await writeFile(join(directory, 'etc/dpkg/dpkg.cfg.d/nfio'), excludes);
  await writeFile(join(directory, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  for (const path of [...unread, ...left]) await rm(join(directory, path), { recursive: true, force: true });
  for (const path of unread) await mkdir(join(directory, path));
  for (const path of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial'])
    await mkdir(join(directory, path), { recursive: true });
}

/** A tar archive of such a directory, as it is read. What is mounted or made of devices in it is left out. */
export function archiveOf(directory: string): Readable {
  const left = ['./dev/*', './proc/*', './sys/*', './run/*'].map((path) => `--exclude=${path}`);
  const tar = spawn('tar', ['-C', directory, '--numeric-owner', '--one-file-system', ...left, '-c', '.'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  tar.once('error', (error) => tar.stdout.destroy(error));
  tar.once('close', (code) => {
    if (code !== 0) tar.stdout.destroy(new Error(`tar ended with status ${code}`));
  });
  return tar.stdout;
}

/** In a mount namespace of its own: what debootstrap mounts below the directory goes away with it, however it ends. */
function run(
  argv: readonly string[],
  options: {
    readonly onProgress: (percent: number, what: string) => void;
    readonly signal: AbortSignal;
    readonly env: NodeJS.ProcessEnv;
  },
): Promise<void> {
  const { onProgress, signal, env } = options;
  if (signal.aborted) return Promise.reject(new NfioError('InterruptedError', { cause: signal.reason }));
  return new Promise((resolve, reject) => {
    const isolated = ['--mount', '--pid', '--fork', '--kill-child', '--', 'debootstrap', ...argv];
    const child = spawn('unshare', isolated, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let said = '';
    let lines = 0;
    const take = (text: string): void => {
      said = (said + text).slice(-keptChars);
      for (const line of text.split('\n').filter((each) => each.startsWith('I: '))) {
        lines += 1;
        onProgress(Math.min(99, Math.floor((100 * lines) / expectedLines)), line.slice(3));
      }
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
    const abort = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', abort, { once: true });
    child.once('error', (cause) =>
      reject(new NfioError('MissingToolError', { message: 'unshare is not installed. Run: apt-get install util-linux', cause })),
    );
    child.once('close', (code) => {
      signal.removeEventListener('abort', abort);
      if (signal.aborted) reject(new NfioError('InterruptedError', { cause: signal.reason }));
      else if (code === 0) resolve();
      else reject(failed(code, said));
    });
  });
}

function failed(code: number | null, said: string): NfioError {
  if (code === 127) return new NfioError('MissingToolError', { message: 'debootstrap is not installed. Run: apt-get install debootstrap' });
  const last = said.trim().split('\n').slice(-2).join('; ');
  return new NfioError('ImageBuildError', { message: `debootstrap could not make the base image (${last})` });
}
