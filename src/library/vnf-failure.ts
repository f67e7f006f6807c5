import { type ErrnoName, type ErrorCode, errnoName, errnoOf, NfioError } from '../errors/index.ts';
import type { VnfPlace } from './vnf-path.ts';

/** What was done to a VNF by a write to one of its files. */
export interface VnfOperation {
  /** What its error file begins with when this failed: the verb, or `command`. */
  readonly word: string;
  /** What it means when it fails for a reason of its own. */
  readonly code: ErrorCode;
}

/** Errnos that mean one thing, whatever was done. */
const codes: { readonly [Name in ErrnoName]?: ErrorCode } = {
  ENODEV: 'VNFNotRunningError',
  ENXIO: 'VNFNotFoundError',
  ENOTRECOVERABLE: 'VNFDeployErrorWithInconsistentState',
  EHOSTUNREACH: 'HypervisorConnectionError',
  ECONNREFUSED: 'HypervisorConnectionError',
  EBUSY: 'BusyError',
  EINTR: 'InterruptedError',
};

/** Why a file of a VNF could not be opened or read, as a NfioError. */
export function accessFailure(vnf: VnfPlace, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    const message = `there is no VNF ${vnf.path}: make it with mkdir, or see with nfio status whether nf.io is mounted there`;
    return new NfioError('VNFNotFoundError', { errno, message, cause });
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new NfioError('NotPermittedError', { errno, message: `${vnf.path} belongs to another user: see ls -l, and chown`, cause });
  }
  if ((cause as NodeJS.ErrnoException).code === 'ENOTCONN') {
    const message = `${vnf.path}: no process serves the mount any more; unmount it (nfio umount --lazy), and mount it again`;
    return new NfioError('HypervisorConnectionError', { errno: 'ECONNREFUSED', message, cause });
  }
  // What the guest is asked for when the file is read, as the original asked it by a command.
  const message = `${vnf.type}/${vnf.name}: ${(cause as Error).message}`;
  return new NfioError(codes[errno] ?? 'VNFCommandExecutionError', { errno, message, cause });
}

/** An operation that failed, and what the error file of the VNF says. */
export interface FailedOperation {
  readonly vnf: VnfPlace;
  readonly operation: VnfOperation;
  readonly said: string;
}

/** Why an operation failed, as a NfioError with the sentence that the error file has for it. */
export function operationFailure({ vnf, operation, said }: FailedOperation, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const code = codes[errno] ?? operation.code;
  const label = `${vnf.type}/${vnf.name}`;
  // A busy VNF refuses without a word in its error file, which belongs to the operation under way.
  if (code === 'BusyError') {
    const message = `${operation.word}: another operation on ${label} is still under way; try again when it is done`;
    return new NfioError(code, { errno, message, cause, retryable: true });
  }
  const sentence = said.startsWith(`${operation.word}: `) ? { message: `${label}: ${said}` } : {};
  return new NfioError(code, { errno, cause, ...sentence });
}

/** Why an instance could not be made. */
export function creationFailure(vnf: VnfPlace, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const label = `${vnf.type}/${vnf.name}`;
  if (errno === 'ENOSYS') return new NfioError('UnknownTypeError', { message: `there is no type ${vnf.type}; see: nfio types`, cause });
  if (errno === 'EINVAL') return new NfioError('InvalidNameError', { message: `${label} is not a name that a VNF can have`, cause });
  if (errno === 'EEXIST') return new NfioError('VNFCreateError', { errno, message: `there is a VNF ${label} already`, cause });
  return new NfioError('VNFCreateError', { errno, message: `${label}: ${(cause as Error).message}`, cause });
}
