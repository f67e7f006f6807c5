import type { Ownership } from '../domain/records.ts';
import type { Ticket } from '../fuse/ticket.ts';
import type { TreeChange } from './views.ts';

/** A request that the kernel thread hands to the main thread, which answers it by its ticket. */
export type Forwarded =
  | { readonly op: 'mkdir'; readonly ticket: Ticket; readonly name: string; readonly mode: number; readonly copying: boolean }
  | { readonly op: 'symlink'; readonly ticket: Ticket; readonly name: string; readonly target: string }
  | { readonly op: 'rmdir' | 'unlink'; readonly ticket: Ticket; readonly name: string }
  | { readonly op: 'rename'; readonly ticket: Ticket; readonly name: string; readonly parent: number; readonly newName: string }
  | { readonly op: 'create'; readonly ticket: Ticket; readonly name: string; readonly fh: number }
  | { readonly op: 'own'; readonly ticket: Ticket; readonly uid?: number; readonly gid?: number; readonly mode?: number }
  /** What `acts` is told by an `acted` message when it is over, just before it is answered. */
  | { readonly op: 'write'; readonly ticket: Ticket; readonly data: Uint8Array; readonly restoring: boolean; readonly acts: boolean }
  /** A scratch file is renamed onto a special file. Without data: what it holds is ignored. */
  | {
      readonly op: 'restore';
      readonly ticket: Ticket;
      readonly nodeid: number;
      readonly data: Uint8Array | undefined;
      readonly owner: Ownership;
    }
  /** A value is truncated, by SETATTR, or by closing a file that nothing was written to. */
  | { readonly op: 'empty'; readonly ticket: Ticket }
  /** The true size of an open file that is asked for. */
  | { readonly op: 'size'; readonly ticket: Ticket; readonly fh: number }
  | { readonly op: 'read'; readonly ticket: Ticket; readonly fh: number; readonly offset: number; readonly size: number }
  | { readonly op: 'save'; readonly ticket: Ticket; readonly save: Save }
  | ReplaceConfiguration
  /** Somebody wants to see the root of a guest that does not run. The answer is a `rootOpened` message. */
  | { readonly op: 'openRoot'; readonly serial: number }
  | { readonly op: 'released'; readonly fh: number }
  /** Somebody wanted to write an action while another is under way. */
  | { readonly op: 'refused'; readonly nodeid: number }
  | { readonly op: 'watch' | 'unwatch'; readonly nodeid: number; readonly kh: number }
  | { readonly op: 'interrupt'; readonly uniqueLow: number; readonly uniqueHigh: number };

/** What to make durable when a user file is closed or synced, and what to do then. */
export interface Save {
  /** The open file; undefined: only the directory, or only the objects there are. */
  readonly fd: number | undefined;
  /** Directory on this machine that got the file's name since it was last synced. */
  readonly newIn: string | Uint8Array | undefined;
  /** The VNF whose configuration the file is. */
  readonly configures: number | undefined;
}

/** A user file is to be renamed onto a configuration, both in one directory of this machine. The answer is also told as a `renamed` message. */
export interface ReplaceConfiguration {
  readonly op: 'replace';
  readonly ticket: Ticket;
  readonly serial: number;
  /** Names the rename in the `renamed` message. */
  readonly rename: number;
  readonly directory: string;
  readonly from: string;
  readonly to: string;
}

/** What the main thread tells the kernel thread; it takes them in before each request. */
export type KernelMessage =
  | TreeChange
  | { readonly kind: 'renamed'; readonly rename: number; readonly done: boolean }
  /** The first message of all: directory for what need not survive a reboot. */
  | { readonly kind: 'runDirectory'; readonly path: string }
  /** The root of a VNF's guest is open, or cannot be opened. */
  | { readonly kind: 'rootOpened'; readonly serial: number }
  | { readonly kind: 'acted'; readonly nodeid: number };

/** Sends one to the main thread. */
export type Forward = (message: Forwarded) => void;
