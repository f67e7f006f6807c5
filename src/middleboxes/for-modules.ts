// What of nfio is there for middlebox modules. Their threads have this alone: all of nfio would take each of them long to load.
export type * from '../domain/middlebox.ts';
export { defineMiddlebox } from '../domain/middlebox.ts';
export {
  Errno,
  type ErrnoName,
  type ErrorCode,
  type ErrorEntry,
  errnoName,
  errnoOf,
  errorTable,
  NfioError,
  type NfioErrorOptions,
} from '../errors/index.ts';
export { type CheckedProgram, nftables, programChecked, routes, serviceCommand, trafficControl } from './languages/index.ts';
