import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownBase } from '../../src/cli/images/base.ts';
import { makeDebian } from '../../src/cli/images/debootstrap.ts';
import { DockerImageEngine } from '../../src/cli/images/docker-image-engine.ts';
import { Engine } from '../../src/hypervisor/docker/engine/index.ts';

/** Made once a machine: it takes half a minute. Remove it to have it made anew. */
const directory = '/var/cache/nfio-test';
const archive = join(directory, 'debian-bookworm.tar');

/** Puts a Debian that was made on this machine into an engine, as the base of images. @returns its name there. */
export async function loadBaseImage(socketPath: string): Promise<string> {
  const { signal } = new AbortController();
  if (!existsSync(archive)) await makeArchive(signal);
  const connection = { certificates: () => '', insecure: false, connectTimeoutMs: 10_000 };
  using engine = new Engine({ kind: 'unix', path: socketPath }, connection);
  await new DockerImageEngine(engine).import(ownBase, createReadStream(archive), signal);
  return ownBase;
}

async function makeArchive(signal: AbortSignal): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const work = mkdtempSync(join(directory, 'making-'));
  try {
    await makeDebian(join(work, 'root'), { signal, onProgress: () => undefined });
    execFileSync('tar', ['-C', join(work, 'root'), '--numeric-owner', '--exclude=./dev/*', '-cf', join(work, 'tar'), '.']);
    renameSync(join(work, 'tar'), archive); // another test file may have been faster
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Why no base can be made here, or undefined. */
export function whyNoBase(): string | undefined {
  return existsSync(archive) || existsSync('/usr/sbin/debootstrap')
    ? undefined
    : 'debootstrap is not installed: apt-get install debootstrap';
}
