import { type ErrnoName, type ErrorCode, NfioError } from '../../errors/index.ts';

/** What of an error goes from one thread to another, which would make a plain Error of any. */
export interface SentError {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of a NfioError. */
  readonly nfio: { readonly code: ErrorCode; readonly errno: ErrnoName; readonly retryable: boolean } | undefined;
}

/** How something ended, to be sent. */
export type Outcome<T> = { readonly value: T } | { readonly failure: SentError };

/** How an operation ends. Never rejects. */
export async function outcomeOf<T>(operation: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await operation() };
  } catch (error) {
    return { failure: sentError(error) };
  }
}

/** What was sent. @throws the error that was sent. */
export function receive<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value;
  throw receivedError(outcome.failure);
}

/** What of an error can be sent. */
export function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, nfio: undefined };
  const { message, stack } = error;
  const nfio = error instanceof NfioError ? { code: error.code, errno: error.errnoName, retryable: error.retryable } : undefined;
  return { message, stack, nfio };
}

function receivedError({ message, stack, nfio }: SentError): Error {
  const error = nfio === undefined ? new Error(message) : new NfioError(nfio.code, { message, ...nfio });
  if (stack !== undefined) error.stack = stack;
  return error;
}
