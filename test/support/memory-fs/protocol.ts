import type { MessagePort } from 'node:worker_threads';
import type { Ticket } from '../../../src/fuse/index.ts';

/** How the server of a test is started. */
export interface ServerSettings {
  readonly mountpoint: string;
  readonly readdirPlus: boolean;
  readonly defaultPermissions: boolean;
}

/** What a test asks of the server process. */
export type Command =
  | { readonly do: 'counts' }
  /** A file in the root appears, or has other content, unknown to the kernel. */
  | { readonly do: 'put'; readonly name: string; readonly content: string }
  /** A file in the root vanishes, unknown to the kernel. */
  | { readonly do: 'drop'; readonly name: string }
  | { readonly do: 'ready' }
  /** Answers the read of a blocked file. */
  | { readonly do: 'answer'; readonly name: string; readonly content: string }
  | { readonly do: 'waiting' }
  /** How often a read of a blocked file came, those that were sent again among them. */
  | { readonly do: 'handed' }
  | { readonly do: 'invalEntry'; readonly parent: number; readonly name: string }
  | { readonly do: 'invalInode'; readonly nodeid: number }
  | { readonly do: 'delete'; readonly parent: number; readonly child: number; readonly name: string }
  | { readonly do: 'resend' };

/** What the session's thread tells the main thread. */
export type FromSession =
  | { readonly kind: 'handed'; readonly ticket: Ticket; readonly name: string }
  | { readonly kind: 'interrupted'; readonly uniqueLow: number; readonly uniqueHigh: number }
  | { readonly kind: 'polled'; readonly kh: number }
  | { readonly kind: 'error'; readonly text: string };

/** What the session's thread starts with. */
export interface SessionData {
  readonly fd: number;
  readonly readdirPlus: boolean;
  /** Requests by opcode. */
  readonly counts: Int32Array;
  readonly port: MessagePort;
}
