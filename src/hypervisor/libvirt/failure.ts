import { type ErrnoName, type ErrorCode, errnoName, NfioError } from '../../errors/index.ts';
import { LibvirtCode, LibvirtError } from './rpc/libvirt-error.ts';

/** The errno that says best why, by libvirt's code. */
const errnos: Readonly<Record<number, ErrnoName>> = {
  [LibvirtCode.NO_MEMORY]: 'ENOMEM',
  [LibvirtCode.NO_SUPPORT]: 'EOPNOTSUPP',
  [LibvirtCode.INVALID_ARG]: 'EINVAL',
  [LibvirtCode.XML_ERROR]: 'EINVAL',
  [LibvirtCode.XML_DETAIL]: 'EINVAL',
  [LibvirtCode.DOM_EXIST]: 'EEXIST',
  [LibvirtCode.OPERATION_DENIED]: 'EACCES',
  [LibvirtCode.ACCESS_DENIED]: 'EACCES',
  [LibvirtCode.AUTH_FAILED]: 'EACCES',
  [LibvirtCode.CONFIG_UNSUPPORTED]: 'EOPNOTSUPP',
  [LibvirtCode.ARGUMENT_UNSUPPORTED]: 'EOPNOTSUPP',
  [LibvirtCode.OPERATION_UNSUPPORTED]: 'EOPNOTSUPP',
  [LibvirtCode.OPERATION_TIMEOUT]: 'ETIMEDOUT',
  [LibvirtCode.RESOURCE_BUSY]: 'EBUSY',
};

/** Gives what failed in the daemon its place in the table of errors, with the errno that says why. What has one keeps it. */
export function asNfioError(code: ErrorCode, what: string, cause: unknown): NfioError {
  if (cause instanceof NfioError) return cause;
  if (!(cause instanceof LibvirtError)) return new NfioError(code, { message: `${what}: ${(cause as Error).message}`, cause });
  const why = cause.message.trim().replaceAll(/\s*\n\s*/g, '; ');
  if (cause.number === LibvirtCode.NO_DOMAIN) return new NfioError('VNFNotFoundError', { message: `${what}: ${why}`, cause });
  const errno = cause.number === LibvirtCode.SYSTEM_ERROR ? errnoName(cause.systemErrno) : errnos[cause.number];
  return new NfioError(code, { ...(errno === undefined ? {} : { errno }), message: `${what}: ${why}`, cause });
}
