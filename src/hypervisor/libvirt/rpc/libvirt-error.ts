import type { XdrReader } from './xdr-reader.ts';

/** Codes of errors that are told apart here (virErrorNumber in virterror.h). */
export const LibvirtCode = {
  NO_MEMORY: 2,
  NO_SUPPORT: 3,
  NO_CONNECT: 5,
  INVALID_ARG: 8,
  OPERATION_FAILED: 9,
  XML_ERROR: 27,
  DOM_EXIST: 28,
  OPERATION_DENIED: 29,
  XML_DETAIL: 35,
  SYSTEM_ERROR: 38,
  NO_DOMAIN: 42,
  AUTH_FAILED: 45,
  OPERATION_INVALID: 55,
  CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68,
  ARGUMENT_UNSUPPORTED: 74,
  AUTH_CANCELLED: 79,
  OPERATION_UNSUPPORTED: 84,
  AGENT_UNRESPONSIVE: 86,
  RESOURCE_BUSY: 87,
  ACCESS_DENIED: 88,
  AGENT_UNSYNCED: 97,
  DEVICE_MISSING: 99,
} as const;

/** An error that the daemon reported. What is done about it depends on its code and domain, never on its text. */
export class LibvirtError extends Error {
  /** virErrorNumber */
  readonly number: number;
  /** virErrorDomain: which part of libvirt it is from. */
  readonly domain: number;
  /** errno(3) of the system call that failed, for SYSTEM_ERROR. */
  readonly systemErrno: number;

  constructor(number: number, domain: number, options: { readonly message: string; readonly systemErrno: number }) {
    super(options.message);
    this.name = 'LibvirtError';
    this.number = number;
    this.domain = domain;
    this.systemErrno = options.systemErrno;
  }
}

/** Reads the error that a reply holds in place of a result (virNetMessageError). */
export function readError(reader: XdrReader): LibvirtError {
  const string = (): string | undefined => reader.optional(() => reader.string());
  const number = reader.int();
  const domain = reader.int();
  const message = string() ?? `error ${number}`;
  reader.int(); // level
  reader.optional(() => [reader.string(), reader.fixed(16), reader.int()]); // domain, unused
  for (let parts = 0; parts < 3; parts++) string();
  return new LibvirtError(number, domain, { message, systemErrno: reader.int() });
}

/** True when it is an error of this code. */
export function isLibvirtError(error: unknown, ...codes: readonly (keyof typeof LibvirtCode)[]): error is LibvirtError {
  return error instanceof LibvirtError && codes.some((code) => LibvirtCode[code] === error.number);
}
