import { join } from 'node:path';
import { NfioError } from '../../errors/index.ts';
import { imageOf } from '../../middleboxes/container-profile.ts';
import { BuildProgress } from './build-progress.ts';
import { buildContext, imagesDirectory } from './context.ts';
import type { BuildLine, ImageEngine } from './image-engine.ts';
import type { BuildReport } from './report.ts';

/** The largest image and what is unpacked meanwhile need about so much. */
const neededBytes = 512 * 1024 * 1024;

/** What a build is of, and for whom. */
export interface BuildOptions {
  readonly base: string;
  /** Variables of the environment of each step, not kept in the image. */
  readonly proxies: Readonly<Record<string, string>>;
  readonly report: BuildReport;
  readonly signal: AbortSignal;
}

/** Builds the image of a built-in type. @throws ImageBuildError with the last lines of the step that failed. */
export async function buildImage(engine: ImageEngine, type: string, options: BuildOptions): Promise<void> {
  const { base, proxies, report, signal } = options;
  const name = imageOf(type);
  const context = await buildContext(join(imagesDirectory, type));
  const progress = new BuildProgress();
  for await (const line of engine.build({ name, context, arguments: { BASE: base, ...proxies } }, signal)) {
    progress.take(line);
    const { instruction, said, step, steps } = progress.state;
    if (steps > 0) report.progress(name, progress.percent, `step ${step} of ${steps}: ${said === '' ? instruction : said}`);
    throwIfFailed(name, progress, line);
  }
  report.done(`${name} built`);
}

/** @throws ImageBuildError (ENOSPC) when a local engine has no room for images. */
export async function checkSpace(engine: ImageEngine, signal: AbortSignal): Promise<void> {
  const free = await engine.freeBytes(signal);
  if (free === undefined || free >= neededBytes) return;
  const megabytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MB`;
  throw new NfioError('ImageBuildError', {
    errno: 'ENOSPC',
    message: `${engine.name} has ${megabytes(free)} left for images, and ${megabytes(neededBytes)} are needed. See what uses it: docker system df`,
  });
}

function throwIfFailed(name: string, progress: BuildProgress, line: BuildLine): void {
  if (line.error === undefined && line.errorDetail === undefined) return;
  const { instruction, step, steps } = progress.state;
  const why = [...progress.last.slice(-3), line.errorDetail?.message ?? line.error ?? ''].join('; ');
  throw new NfioError('ImageBuildError', { message: `${name} could not be built, step ${step} of ${steps} (${instruction}): ${why}` });
}
