import type { Negotiated } from '../fuse/init.ts';
import type { MountOptions } from './options.ts';

/** What the supervisor gives a server process, on its command line as JSON. The descriptor of /dev/fuse is 3. */
export interface ServerStart {
  readonly options: MountOptions;
  /** When the mount was made, milliseconds since the epoch. */
  readonly mountedMs: number;
}

/** Has a server process, which stood by, serve the mount. No other serves it any more. */
export interface TakeOver {
  readonly kind: 'takeOver';
  /** How many servers this connection had before. */
  readonly generation: number;
  /** What the first of them agreed with the kernel. */
  readonly negotiated: Negotiated | undefined;
}

/** What the supervisor tells a server process. */
export type ServerOrder =
  | TakeOver
  /** It shall say that it is alive. */
  | { readonly kind: 'ping' };

/** What a server tells its supervisor. */
export type ServerMessage =
  /** It answers requests, as agreed with the kernel. */
  | { readonly kind: 'ready'; readonly mountId: string; readonly negotiated: Negotiated; readonly warnings: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | undefined }
  /** The answer to a ping: its main thread works, and so does its kernel thread if it serves. */
  | { readonly kind: 'alive' };

/** What a supervisor tells the process that started it. */
export type SupervisorMessage =
  | { readonly kind: 'ready'; readonly warnings: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | undefined };

/** Descriptor of /dev/fuse in a server process. */
export const fuseFd = 3;
