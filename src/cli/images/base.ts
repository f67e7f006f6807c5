import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NfioError } from '../../errors/index.ts';
import { archiveOf, hasDebootstrap, makeDebian } from './debootstrap.ts';
import type { ImageEngine } from './image-engine.ts';
import type { BuildReport } from './report.ts';

/** What images are built from unless something else is asked for. */
export const defaultBase = 'debian:bookworm-slim';

/** Its replacement, made on this machine where no registry can be reached. */
export const ownBase = 'nfio/base:bookworm';

/** Asks for that one. */
const makeIt = 'debootstrap';

/** How to have a base image. */
export interface BaseOptions {
  /** A name, `debootstrap`, or undefined: the default one, by whatever means. */
  readonly wanted: string | undefined;
  readonly report: BuildReport;
  readonly signal: AbortSignal;
}

/**
 * Sees to it that the engine has a base image: one it has already, else from a registry, else made on this machine.
 *
 * @returns its name.
 * @throws NotFoundError (ENOENT) when it can be had by none of these.
 */
export async function ensureBase(engine: ImageEngine, options: BaseOptions): Promise<string> {
  const { wanted, signal } = options;
  if (wanted === makeIt) return makeBase(engine, options);
  const known = wanted === undefined ? [defaultBase, ownBase] : [wanted];
  for (const image of known) if (await engine.hasImage(image, signal)) return image;
  try {
    return await pull(engine, wanted ?? defaultBase, options);
  } catch (cause) {
    if (!(cause instanceof NfioError) || cause.code !== 'NotFoundError' || wanted !== undefined) throw cause;
    if (await hasDebootstrap()) return makeBase(engine, options);
    const message = `${cause.message}. Have it made on this machine: apt-get install debootstrap, and try again`;
    throw new NfioError('NotFoundError', { message, cause });
  }
}

async function pull(engine: ImageEngine, image: string, { report, signal }: BaseOptions): Promise<string> {
  await engine.pull(image, (percent) => report.progress(image, percent, 'from its registry'), signal);
  report.done(`${image} fetched from its registry`);
  return image;
}

async function makeBase(engine: ImageEngine, { report, signal }: BaseOptions): Promise<string> {
  const directory = await mkdtemp('/var/tmp/nfio-base-'); // /tmp may be mounted nodev
  try {
    const root = join(directory, 'root');
    await makeDebian(root, { signal, onProgress: (percent, what) => report.progress(ownBase, percent, what) });
    await engine.import(ownBase, archiveOf(root), signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  report.done(`${ownBase} made by debootstrap`);
  return ownBase;
}
