import { type ErrnoName, type ErrorCode, errnoName, errnoOf, NfioError } from '../errors/index.ts';
import type { Place, VnfPlace } from './vnf-path.ts';

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
  ECANCELED: 'CancelledError',
};

/** Why a file of an object could not be opened or read, as a NfioError. */
export function accessFailure({ kind, path, label }: Place, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    const message = `There is no ${kind} ${path}. Make it (mkdir ${path}), or see whether nf.io is mounted there: nfio status`;
    return new NfioError(kind === 'VNF' ? 'VNFNotFoundError' : 'NotFoundError', { errno, message, cause });
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const message = `${path} belongs to another user. See whose it is: ls -ld ${path}; its owner or root hands it over: chown -R USER ${path}`;
    return new NfioError('NotPermittedError', { errno, message, cause });
  }
  if ((cause as NodeJS.ErrnoException).code === 'ENOTCONN') {
    const message = `${path}: no process serves the mount any more. Find it with nfio status, detach it with nfio umount --lazy MOUNTPOINT, and mount it again.`;
    return new NfioError('HypervisorConnectionError', { errno: 'ECONNREFUSED', message, cause });
  }
  // What the guest is asked for when the file is read, as the original asked it by a command.
  return new NfioError(codes[errno] ?? 'VNFCommandExecutionError', { errno, message: `${label}: ${(cause as Error).message}`, cause });
}

/** An operation that failed, and what the error file of its object says. */
export interface FailedOperation {
  readonly place: Place;
  readonly operation: VnfOperation;
  readonly said: string;
}

/** Why an operation failed, as a NfioError with the sentence that the error file has for it. */
export function operationFailure({ place, operation, said }: FailedOperation, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const code = codes[errno] ?? operation.code;
  const { label } = place;
  // A busy VNF refuses without a word in its error file, which belongs to the operation under way.
  if (code === 'BusyError') {
    const message = `${operation.word}: another operation on ${label} is still under way. Try again when it is done.`;
    return new NfioError(code, { errno, message, cause, retryable: true });
  }
  const sentence = said.startsWith(`${operation.word}: `) ? { message: `${label}: ${said}` } : {};
  return new NfioError(code, { errno, cause, ...sentence });
}

/** Why an instance could not be made. */
export function creationFailure(vnf: VnfPlace, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  if (errno === 'ENOSYS') {
    const message = `There is no type ${vnf.type}. See those there are: nfio types`;
    return new NfioError('UnknownTypeError', { message, cause });
  }
  return notMade(vnf, cause);
}

/** Why an object could not be made, whatever it is. */
export function notMade({ kind, label }: Place, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  if (errno === 'EINVAL') {
    const message = `${label} is not a name that a ${kind} can have. Use letters, digits and _ . - only, and begin with a letter or digit.`;
    return new NfioError('InvalidNameError', { message, cause });
  }
  const code = kind === 'VNF' ? 'VNFCreateError' : 'NetworkError';
  if (errno === 'EEXIST') return new NfioError(code, { errno, message: `There is a ${kind} ${label} already.`, cause });
  return new NfioError(code, { errno, message: `${label}: ${(cause as Error).message}`, cause });
}

/** Why an object could not be removed. */
export function notRemoved(place: Place, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  if (errno !== 'EBUSY') return accessFailure(place, cause);
  const [state, verb] = place.kind === 'VNF' ? ['deployed', 'destroy'] : ['active', 'stop'];
  const message = `${place.label} is ${state}, or used by a service chain. First: echo ${verb} > ${place.path}/action`;
  return new NfioError('BusyError', { errno, message, cause });
}
