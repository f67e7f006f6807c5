import type { ErrnoName } from './errno.ts';

/** One registered error: the number the original prototype used (if it had one), the errno users get, and a default sentence. */
export interface ErrorEntry {
  readonly original?: number;
  readonly errno: ErrnoName;
  readonly sentence: string;
}

/**
 * Every domain error, registered once. docs/errors.md is held equal to this table by a test.
 * The numbers 701 to 716 are those of the original prototype; Linux refuses replies above 511, so users see the errno.
 */
export const errorTable = {
  HypervisorConnectionError: { original: 701, errno: 'EHOSTUNREACH', sentence: 'The hypervisor cannot be reached' },
  VNFNotFoundError: { original: 702, errno: 'ENXIO', sentence: 'The guest of this VNF does not exist' },
  VNFCommandExecutionError: { original: 703, errno: 'EIO', sentence: 'The command failed in the guest' },
  VNFCreateError: { original: 704, errno: 'EIO', sentence: 'The VNF could not be created' },
  VNFDeployError: { original: 705, errno: 'EIO', sentence: 'The guest could not be deployed' },
  VNFDestroyError: { original: 706, errno: 'EIO', sentence: 'The guest could not be destroyed' },
  VNFStartError: { original: 707, errno: 'EIO', sentence: 'The guest could not be started' },
  VNFRestartError: { original: 708, errno: 'EIO', sentence: 'The guest could not be restarted' },
  VNFStopError: { original: 709, errno: 'EIO', sentence: 'The guest could not be stopped' },
  VNFPauseError: { original: 710, errno: 'EIO', sentence: 'The guest could not be paused' },
  VNFUnpauseError: { original: 711, errno: 'EIO', sentence: 'The guest could not be unpaused' },
  VNFDeployErrorWithInconsistentState: {
    original: 712,
    errno: 'ENOTRECOVERABLE',
    sentence: 'The deployment failed, and so did cleaning up after it',
  },
  VNFImageNameIsEmptyError: { original: 713, errno: 'EINVAL', sentence: 'The image name is empty' },
  VNFHostNameIsEmptyError: { original: 714, errno: 'EINVAL', sentence: 'The host name is empty' },
  VNFNameIsEmptyError: { original: 715, errno: 'EINVAL', sentence: 'The name of the VNF is empty' },
  VNFNotRunningError: { original: 716, errno: 'ENODEV', sentence: 'The VNF is not running' },
  InvalidNameError: { errno: 'EINVAL', sentence: 'The name is not allowed here' },
  InvalidValueError: { errno: 'EINVAL', sentence: 'The value is not valid' },
  InvalidActionError: { errno: 'EINVAL', sentence: 'The action is not possible now' },
  ConfigurationError: { errno: 'EINVAL', sentence: 'The configuration does not validate' },
  BusyError: { errno: 'EBUSY', sentence: 'The object is in use' },
  UnknownTypeError: { errno: 'ENOSYS', sentence: 'There is no middlebox module of this name' },
  BrokenModuleError: { errno: 'EIO', sentence: 'The middlebox module failed' },
  MalformedModuleError: { errno: 'ENOEXEC', sentence: 'The middlebox module cannot be loaded' },
  UnsupportedError: { errno: 'EOPNOTSUPP', sentence: 'This machine or hypervisor cannot do that' },
  NetworkError: { errno: 'EIO', sentence: 'The network could not be changed' },
  MissingToolError: { errno: 'EOPNOTSUPP', sentence: 'A program that is needed is not installed' },
  NotPermittedError: { errno: 'EPERM', sentence: 'That is not permitted' },
  QuotaError: { errno: 'EDQUOT', sentence: 'The user has as much as they may have' },
  NotFoundError: { errno: 'ENOENT', sentence: 'There is no such object' },
  InterruptedError: { errno: 'EINTR', sentence: 'The operation was interrupted, and nothing of it is left' },
  CancelledError: { errno: 'ECANCELED', sentence: 'The operation was cancelled when it had begun' },
  TimeoutError: { errno: 'ETIMEDOUT', sentence: 'The operation took too long' },
  StateInUseError: { errno: 'EBUSY', sentence: 'The root directory is in use by another mount' },
  StateVersionError: { errno: 'EPROTO', sentence: 'The root directory was made by a newer version' },
  StateWriteError: { errno: 'EIO', sentence: 'The record could not be written' },
  ImageBuildError: { errno: 'EIO', sentence: 'The image could not be built' },
  MountError: { errno: 'EIO', sentence: 'The file system could not be mounted' },
} as const satisfies Record<string, ErrorEntry>;

/** The stable code of a registered error. */
export type ErrorCode = keyof typeof errorTable;
