import { NfioError } from '../../errors/index.ts';
import { type Engine, EngineAnswerError, jsonLines } from './engine/index.ts';
import { type PullLine, PullProgress } from './pull-progress.ts';

/** True when the engine has the image. */
export async function hasImage(engine: Engine, image: string, signal: AbortSignal): Promise<boolean> {
  try {
    await engine.json({ method: 'GET', path: `/images/${encodeURIComponent(image)}/json` }, signal);
    return true;
  } catch (error) {
    if (error instanceof EngineAnswerError && error.status === 404) return false;
    throw error;
  }
}

/**
 * Has the engine fetch an image from its registry.
 *
 * @param type of the VNF, for the remedy.
 * @param onProgress told of per cents, growing.
 * @throws NotFoundError (ENOENT) when it cannot be had, with what Docker says and what to do.
 */
export async function pullImage(
  engine: Engine,
  want: { readonly image: string; readonly type: string },
  options: { readonly signal: AbortSignal; readonly onProgress: (percent: number) => void },
): Promise<void> {
  const { name, tag } = splitReference(want.image);
  const progress = new PullProgress();
  options.onProgress(0);
  try {
    const query = { fromImage: name, tag };
    const answer = await engine.stream({ method: 'POST', path: '/images/create', query, timeoutMs: 0 }, options.signal);
    for await (const line of jsonLines<PullLine>(answer)) {
      if (line.errorDetail !== undefined || line.error !== undefined)
        throw new EngineAnswerError(500, line.errorDetail?.message ?? line.error ?? '');
      const percent = progress.take(line);
      if (percent !== undefined) options.onProgress(percent);
    }
  } catch (cause) {
    if (options.signal.aborted) throw new NfioError('InterruptedError', { cause: options.signal.reason });
    if (!(cause instanceof EngineAnswerError)) throw cause;
    throw unavailable(want, engine, cause);
  }
}

function unavailable({ image, type }: { readonly image: string; readonly type: string }, engine: Engine, cause: Error): NfioError {
  const remedy = image.startsWith('nfio/')
    ? `Run: nfio images build ${type}`
    : `Run there: docker pull ${image}; or write to machine/vm.image one that docker images lists`;
  const said = cause.message.split('\n')[0] ?? '';
  return new NfioError('NotFoundError', {
    message: `the engine at ${engine.name} has no image ${image} and cannot fetch it (Docker says: ${said}). ${remedy}`,
    cause,
  });
}

/** Without a tag a registry would give every one there is. */
function splitReference(image: string): { readonly name: string; readonly tag: string | undefined } {
  if (image.includes('@')) return { name: image, tag: undefined };
  const colon = image.indexOf(':', image.lastIndexOf('/') + 1);
  return colon < 0 ? { name: image, tag: 'latest' } : { name: image.slice(0, colon), tag: image.slice(colon + 1) };
}
