import { Errno, type ErrnoName } from './errno.ts';
import { type ErrorCode, type ErrorEntry, errorTable } from './table.ts';

/** What may be said of an error beyond its code. */
export interface NfioErrorOptions {
  /** What, why and what to do, in one line. Default: the sentence of the table. */
  readonly message?: string;
  /** A closer errno than the table's, when one says why (ENOSPC, ENOMEM, ETIMEDOUT, …). */
  readonly errno?: ErrnoName;
  readonly cause?: unknown;
  /** True when the same call may succeed later with nothing changed by the user. Default false. */
  readonly retryable?: boolean;
}

/** The base of every error nf.io raises on purpose: a stable code, a sentence for people, an errno for the kernel. */
export class NfioError extends Error {
  readonly code: ErrorCode;
  readonly errnoName: ErrnoName;
  readonly retryable: boolean;

  constructor(code: ErrorCode, options: NfioErrorOptions = {}) {
    const entry: ErrorEntry = errorTable[code];
    super(options.message ?? entry.sentence, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code;
    this.code = code;
    this.errnoName = options.errno ?? entry.errno;
    this.retryable = options.retryable ?? false;
  }

  /** The errno to send to the kernel, 1 to 511. */
  get errno(): number {
    return Errno[this.errnoName];
  }

  /** The number the original prototype gave this error (701 to 716), undefined for errors it did not have. */
  get originalNumber(): number | undefined {
    const entry: ErrorEntry = errorTable[this.code];
    return entry.original;
  }
}
