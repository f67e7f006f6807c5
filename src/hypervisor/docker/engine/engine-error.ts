import { type ErrnoName, errnoName, errnoOf, NfioError } from '../../../errors/index.ts';
import { defaultSocket, type EngineAddress, formatEngineAddress } from './address.ts';

/** An engine's answer that says no. The driver makes an NfioError of it, knowing what was asked for. */
export class EngineAnswerError extends Error {
  /** HTTP status, 400 or more. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineAnswerError';
    this.status = status;
  }
}

/** What an HTTP status of the Engine API means as an errno; EIO for what it does not tell. */
export function errnoOfStatus(status: number): ErrnoName {
  const known: Readonly<Record<number, ErrnoName>> = {
    400: 'EINVAL',
    401: 'EACCES',
    403: 'EPERM',
    404: 'ENOENT',
    408: 'ETIMEDOUT',
    409: 'EBUSY',
    501: 'EOPNOTSUPP',
    503: 'EAGAIN',
  };
  return known[status] ?? 'EIO';
}

/** The sentence for an engine that cannot be spoken to, with the errno that says why. */
export function connectionError(address: EngineAddress, cause: unknown): NfioError {
  if (cause instanceof NfioError) return cause;
  const { code = '', message } = cause as { readonly code?: string; readonly message: string };
  const where = formatEngineAddress(address);
  const { errno, why } = explain(code, { address, message });
  return new NfioError('HypervisorConnectionError', {
    errno,
    message: `the Docker Engine at ${where} cannot be reached: ${why}`,
    cause,
    retryable: errno !== 'EACCES',
  });
}

interface Explanation {
  readonly errno: ErrnoName;
  readonly why: string;
}

function explain(code: string, { address, message }: { readonly address: EngineAddress; readonly message: string }): Explanation {
  const local = address.kind === 'unix';
  if (isCertificateProblem(code)) {
    return { errno: 'EACCES', why: `the certificates do not fit (${code}). Compare ca.pem, cert.pem and key.pem with the engine's` };
  }
  if (code === 'ESSH' && address.kind === 'ssh') {
    const login = `${address.user === '' ? '' : `${address.user}@`}${address.host}`;
    const why = `ssh: ${message || 'it ended without a word'}. See whether it works by hand: ssh -o BatchMode=yes ${login} true`;
    return { errno: 'EHOSTUNREACH', why };
  }
  if (code === 'ENOENT' && address.kind === 'ssh')
    return { errno: 'EOPNOTSUPP', why: 'there is no ssh here. Run: apt-get install openssh-client' };
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return { errno: 'ECONNREFUSED', why: local ? nobodyListens(address.path) : 'no engine listens there' };
  if (code === 'EACCES') return { errno: 'EACCES', why: 'its socket is not for this user. Run it as root' };
  if (code === 'ETIMEDOUT') return { errno: 'ETIMEDOUT', why: `${message}. Run over there: docker info` };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return { errno: 'EHOSTUNREACH', why: 'there is no machine of that name' };
  if (code === 'EPROTO' || code.startsWith('HPE_')) return { errno: 'EPROTO', why: 'what answers there does not speak HTTP' };
  const errno = errnoName(errnoOf(cause(code))) ?? 'EHOSTUNREACH';
  return { errno: errno === 'EIO' ? 'EHOSTUNREACH' : errno, why: code === '' ? message : `${message} (${code})` };
}

function cause(code: string): { readonly code: string } {
  // An engine that ends in the middle of an answer is one that is not there.
  return { code: ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNABORTED'].includes(code) ? 'EHOSTUNREACH' : code };
}

function nobodyListens(path: string): string {
  const remedy =
    path === defaultSocket
      ? 'Run: systemctl start docker. If Docker is not installed, run: apt-get install docker.io'
      : 'Start the engine, or name its socket';
  return `nothing listens there. ${remedy}`;
}

/** Codes of OpenSSL and of Node's TLS: who signed, who is named, who was asked for a certificate and had none that does. */
function isCertificateProblem(code: string): boolean {
  return /^ERR_(TLS|SSL|OSSL)_|CERT|SIGNATURE|^UNABLE_TO_|^HOSTNAME_MISMATCH$|^INVALID_CA$|^INVALID_PURPOSE$/.test(code);
}
