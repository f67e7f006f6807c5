import { NfioError } from '../../../errors/index.ts';
import { EngineAnswerError } from './engine-error.ts';
import type { EngineRequest } from './send.ts';

/** What nf.io needs (Docker 20.10), and the newest version it was written for. */
const oldest = '1.41';
const newest = '1.51';

/** What `/version` tells, as far as it is read. */
interface VersionAnswer {
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
  readonly Version?: string;
}

/**
 * Agrees on a version of the API: the newest that both sides know.
 *
 * @param name of the engine, for the sentence.
 * @throws UnsupportedError (EOPNOTSUPP) when there is none, HypervisorConnectionError (EPROTO) when no engine answers there.
 */
export async function negotiate(ask: (request: EngineRequest) => Promise<VersionAnswer>, name: string): Promise<string> {
  const answer = await ask({ method: 'GET', path: '/version', timeoutMs: 5000 }).catch((cause: unknown) => {
    if (cause instanceof EngineAnswerError) throw notAnEngine(name, cause);
    throw cause;
  });
  const { ApiVersion: theirs = '', MinAPIVersion: least = '0.0', Version: release = '' } = answer ?? {};
  if (!/^\d+\.\d+$/.test(theirs)) throw notAnEngine(name, undefined);
  const version = compare(theirs, newest) < 0 ? theirs : newest;
  if (compare(version, oldest) >= 0 && compare(version, least) >= 0) return version;
  throw new NfioError('UnsupportedError', {
    message: `the Docker Engine at ${name} (${release || 'of unknown version'}) speaks API ${least === '0.0' ? '' : `${least} to `}${theirs}; nf.io needs ${oldest} to ${newest}: Docker 20.10 or newer`,
  });
}

function notAnEngine(name: string, cause: unknown): NfioError {
  return new NfioError('HypervisorConnectionError', { errno: 'EPROTO', message: `what answers at ${name} is no Docker Engine`, cause });
}

function compare(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}
