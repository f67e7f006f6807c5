export { isAbsence, mayPass, unlessAbsent } from './absence.ts';
export { Errno, type ErrnoName, errnoName, errnoOf } from './errno.ts';
export { isThere } from './is-there.ts';
export { NfioError, type NfioErrorOptions } from './nfio-error.ts';
export { O_PATH } from './open-flags.ts';
export { type ErrorCode, type ErrorEntry, errorTable } from './table.ts';
