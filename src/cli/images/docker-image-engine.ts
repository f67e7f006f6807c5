import { statfs } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { NfioError } from '../../errors/index.ts';
import { type Engine, EngineAnswerError, type EngineRequest, errnoOfStatus, jsonLines } from '../../hypervisor/docker/engine/index.ts';
import { hasImage, pullImage } from '../../hypervisor/docker/pull.ts';
import type { BuildLine, BuildRequest, HeldImage, ImageEngine } from './image-engine.ts';

/** What `GET /images/json` tells of an image, as far as it is read. */
interface ImageSummary {
  readonly RepoTags: readonly string[] | null;
  readonly Size: number;
  /** Seconds since 1970. */
  readonly Created: number;
}

/** The images of a Docker Engine, by its API (1.41 and newer). */
export class DockerImageEngine implements ImageEngine {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get name(): string {
    return this.#engine.name;
  }

  hasImage(image: string, signal: AbortSignal): Promise<boolean> {
    return this.#refusing(() => hasImage(this.#engine, image, signal));
  }

  async pull(image: string, onProgress: (percent: number) => void, signal: AbortSignal): Promise<void> {
    try {
      await pullImage(this.#engine, { image, type: '' }, { onProgress, signal });
    } catch (error) {
      if (!(error instanceof NfioError) || error.code !== 'NotFoundError') throw error;
      const said = error.cause instanceof Error ? error.cause.message.split('\n')[0] : '';
      const message = `${this.name} has no image ${image} and cannot fetch it (Docker says: ${said})`;
      throw new NfioError('NotFoundError', { message, cause: error });
    }
  }

  /** Packages come from where this machine gets them: steps have the network of the engine's machine. */
  async *build(request: BuildRequest, signal: AbortSignal): AsyncGenerator<BuildLine> {
    const query = {
      t: request.name,
      networkmode: 'host',
      forcerm: true,
      buildargs: JSON.stringify(request.arguments),
    };
    yield* this.#lines<BuildLine>({ method: 'POST', path: '/build', query, upload: request.context, timeoutMs: 0 }, signal);
  }

  async import(image: string, archive: Readable, signal: AbortSignal): Promise<void> {
    const [repo, tag] = image.split(':');
    const query = { fromSrc: '-', repo, tag, changes: 'CMD ["/bin/bash"]' };
    const lines = this.#lines<BuildLine>({ method: 'POST', path: '/images/create', query, upload: archive, timeoutMs: 0 }, signal);
    for await (const { error } of lines) if (error !== undefined) throw failed(`${image} could not be taken in`, error);
  }

  async list(pattern: string, signal: AbortSignal): Promise<readonly HeldImage[]> {
    const query = { filters: JSON.stringify({ reference: [pattern] }) };
    const images = await this.#refusing(() =>
      this.#engine.json<readonly ImageSummary[]>({ method: 'GET', path: '/images/json', query }, signal),
    );
    return images.flatMap(({ RepoTags, Size, Created }) =>
      (RepoTags ?? []).map((name) => ({ name, sizeBytes: Size, createdMs: Created * 1000 })),
    );
  }

  async freeBytes(signal: AbortSignal): Promise<number | undefined> {
    if (this.#engine.address.kind !== 'unix') return undefined;
    const info = await this.#refusing(() =>
      this.#engine.json<{ readonly DockerRootDir?: string }>({ method: 'GET', path: '/info' }, signal),
    );
    // A socket may also lead to an engine of another machine, or of a virtual one.
    const space = await statfs(info.DockerRootDir ?? '').catch(() => undefined);
    return space === undefined ? undefined : space.bavail * space.bsize;
  }

  async *#lines<Line>(request: EngineRequest, signal: AbortSignal): AsyncGenerator<Line> {
    const answer = await this.#refusing(() => this.#engine.stream(request, signal));
    try {
      yield* jsonLines<Line>(answer);
    } catch (cause) {
      if (signal.aborted) throw new NfioError('InterruptedError', { cause: signal.reason });
      throw new NfioError('HypervisorConnectionError', { message: `${this.name} ended its answer early`, cause });
    } finally {
      answer.destroy();
    }
  }

  async #refusing<Result>(ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask();
    } catch (cause) {
      if (!(cause instanceof EngineAnswerError)) throw cause;
      throw failed(`${this.name} does not do that`, cause.message, cause);
    }
  }
}

function failed(what: string, said: string, cause?: unknown): NfioError {
  const errno = cause instanceof EngineAnswerError ? { errno: errnoOfStatus(cause.status) } : {};
  return new NfioError('ImageBuildError', { ...errno, message: `${what} (Docker says: ${said.split('\n')[0]})`, cause });
}
