import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errnoName, errnoOf, NfioError } from '../../../errors/index.ts';

/** Where Docker's own command line looks for them. */
export function defaultCertificates(): string {
  return join(homedir(), '.docker');
}

/** What TLS needs of both sides, in PEM. */
export interface Certificates {
  /** Who may have signed the engine's certificate. */
  readonly ca: Buffer;
  /** What the engine knows us by. */
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads `ca.pem`, `cert.pem` and `key.pem`; undefined when the directory has no `ca.pem`.
 *
 * @throws HypervisorConnectionError with the errno of a file that cannot be read.
 */
export async function readCertificates(directory: string): Promise<Certificates | undefined> {
  const read = (name: string): Promise<Buffer> => readFile(join(directory, name));
  const ca = await read('ca.pem').catch((cause: unknown) => {
    if (errnoName(errnoOf(cause)) === 'ENOENT') return undefined;
    throw unreadable(directory, cause);
  });
  if (ca === undefined) return undefined;
  const [cert, key] = await Promise.all([read('cert.pem'), read('key.pem')]).catch((cause: unknown) => {
    throw unreadable(directory, cause);
  });
  return { ca, cert: cert as Buffer, key: key as Buffer };
}

function unreadable(directory: string, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const { path = directory } = cause as NodeJS.ErrnoException;
  return new NfioError('HypervisorConnectionError', {
    errno,
    message: `${path} cannot be read (${errno}): an engine behind TLS needs ca.pem, cert.pem and key.pem in ${directory}`,
    cause,
  });
}
