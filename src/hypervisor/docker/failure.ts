import { statfsSync } from 'node:fs';
import type { GuestRef } from '../../domain/ports/hypervisor.ts';
import { type ErrnoName, type ErrorCode, errnoName, errnoOf, NfioError } from '../../errors/index.ts';
import { EngineAnswerError, errnoOfStatus } from './engine/index.ts';
import type { EngineLink } from './engine-link.ts';

/** What an operation was about, for its error. */
export interface Doing {
  readonly code: ErrorCode;
  /** `could not be …`. */
  readonly done: string;
}

/** Makes an error of what an engine answered: the operation's own code, the errno that the status means, and Docker's words. */
export async function asFailure(doing: Doing, ref: GuestRef, link: EngineLink, cause: unknown): Promise<NfioError> {
  if (cause instanceof NfioError) return cause;
  const what = `${ref.type}/${ref.name} could not be ${doing.done}`;
  if (!(cause instanceof EngineAnswerError)) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    return new NfioError(doing.code, { errno, message: `${what}: ${(cause as Error).message}`, cause });
  }
  if (cause.status === 500 && (await isFull(link))) {
    const remedy = 'See what uses it: docker system df';
    return new NfioError(doing.code, {
      errno: 'ENOSPC',
      message: `${what}: the engine's disk is full (${firstLine(cause.message)}). ${remedy}`,
      cause,
    });
  }
  const errno: ErrnoName = errnoOfStatus(cause.status);
  return new NfioError(doing.code, { errno, message: `${what}: Docker says: ${firstLine(cause.message)}`, cause });
}

/** Runs an operation; what it fails with becomes an NfioError. */
export async function doing<Result>(
  what: Doing,
  at: { readonly ref: GuestRef; readonly link: EngineLink },
  operation: () => Promise<Result>,
): Promise<Result> {
  try {
    return await operation();
  } catch (cause) {
    throw await asFailure(what, at.ref, at.link, cause);
  }
}

/** True when no byte is left where an engine of this machine keeps its containers; of others nobody can tell. */
async function isFull({ engine, local }: EngineLink): Promise<boolean> {
  if (!local) return false;
  try {
    const info = await engine.json<{ readonly DockerRootDir?: string }>(
      { method: 'GET', path: '/info', timeoutMs: 5000 },
      AbortSignal.timeout(5000),
    );
    const { bavail, bsize } = statfsSync(info.DockerRootDir ?? '');
    return bavail * bsize < 64 * 1024;
  } catch {
    return false;
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
