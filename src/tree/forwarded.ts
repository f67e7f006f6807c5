import type { Ownership } from '../domain/records.ts';
import type { Ticket } from '../fuse/ticket.ts';
import type { SaveOutcome } from './pending-save.ts';
import type { TreeChange } from './views.ts';

/** A request that the kernel thread hands to the main thread, which answers it by its ticket. */
export type Forwarded =
  | { readonly op: 'mkdir'; readonly ticket: Ticket; readonly name: string; readonly mode: number; readonly copying: boolean }
  | { readonly op: 'symlink'; readonly ticket: Ticket; readonly name: string; readonly target: string }
  | { readonly op: 'rmdir' | 'unlink'; readonly ticket: Ticket; readonly name: string }
  | { readonly op: 'rename'; readonly ticket: Ticket; readonly name: string; readonly parent: number; readonly newName: string }
  | { readonly op: 'create'; readonly ticket: Ticket; readonly name: string; readonly fh: number }
  /** Something was to be made where it means nothing: the answer is EPERM, with a sentence. */
  | { readonly op: 'misplaced'; readonly ticket: Ticket; readonly name: string; readonly made: Misplaced }
  | { readonly op: 'own'; readonly ticket: Ticket; readonly uid?: number; readonly gid?: number; readonly mode?: number }
  | WriteValue
  /** A write to `command`. */
  | { readonly op: 'command'; readonly ticket: Ticket; readonly fh: number; readonly data: Uint8Array }
  /** Who wrote to a `command` closes it: what waits runs, or not at all. `last`: its shell ends. */
  | { readonly op: 'finish'; readonly ticket: Ticket; readonly fh: number; readonly last?: boolean; readonly discard?: boolean }
  /** A scratch file is renamed onto a special file. Without data: what it holds is ignored. */
  | {
      readonly op: 'restore';
      readonly ticket: Ticket;
      readonly nodeid: number;
      readonly data: Uint8Array | undefined;
      readonly owner: Ownership;
      /** By a program that copies. */
      readonly copying: boolean;
    }
  /** A value is truncated, by SETATTR, or by closing a file that nothing was written to. */
  | { readonly op: 'empty'; readonly ticket: Ticket }
  /** The true size of a file that is asked for; `fh`: it is open. */
  | { readonly op: 'size'; readonly ticket: Ticket; readonly fh: number | undefined }
  | { readonly op: 'read'; readonly ticket: Ticket; readonly fh: number; readonly offset: number; readonly size: number }
  | SyncFile
  | Configure
  | ReplaceConfiguration
  /** Somebody wants to see the root of a guest that does not run. The answer is a `rootOpened` message. */
  | { readonly op: 'openRoot'; readonly serial: number }
  | { readonly op: 'released'; readonly fh: number }
  /** A request is served in parts: a `turn` message comes back, after which the next part is. */
  | { readonly op: 'turn' }
  /** The disk of user files may be slow: it is tried out. The answer is a `probed` message. */
  | { readonly op: 'probe' }
  /** A request on an open user file, while the disk is slow. */
  | { readonly op: 'readFile'; readonly ticket: Ticket; readonly fd: number; readonly offset: number; readonly size: number }
  | {
      readonly op: 'writeFile';
      readonly ticket: Ticket;
      readonly fh: number;
      readonly fd: number;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  /** Somebody wanted to write an action while another is under way, and was refused. */
  | { readonly op: 'refused'; readonly nodeid: number; readonly by: Pick<Ticket, 'uid' | 'gid' | 'pid'> }
  | { readonly op: 'watch' | 'unwatch'; readonly nodeid: number; readonly kh: number }
  | { readonly op: 'interrupt'; readonly uniqueLow: number; readonly uniqueHigh: number };

/** What cannot be made everywhere. */
export type Misplaced = 'file' | 'link' | 'hard link' | 'node';

/** A write to a value or an action, or the close of one to which a part was written. */
export interface WriteValue {
  readonly op: 'write';
  readonly ticket: Ticket;
  /** All that was written through the descriptor. */
  readonly data: Uint8Array;
  /** How much of it the answer confirms, bytes. */
  readonly size: number;
  /** What the value goes back to when this is refused; undefined: nothing was written to it before. */
  readonly before: string | undefined;
  readonly restoring: boolean;
  /** An action: when it is over, just before it is answered, an `acted` message tells. */
  readonly acts: boolean;
}

/** fsync(2) of a user file, or of a directory. */
export interface SyncFile {
  readonly op: 'sync';
  readonly ticket: Ticket;
  /** The main thread's to close; undefined: only the directory, or only the objects there are. */
  readonly fd: number | undefined;
  /** Directory on this machine that got the file's name since it was last synced. */
  readonly newIn: string | Uint8Array | undefined;
}

/** What configures a VNF, or is to; undefined: it is no regular file. */
export interface ConfigurationFile {
  /** To read; the main thread's to close. */
  readonly fd: number;
  /** What it held when the request came: until it is judged another may have begun to write. No more than a byte beyond what a configuration may have. */
  readonly content: Uint8Array;
}

/** A file was written that configures VNFs: most often one. The outcome is told as a `configured` message before it is answered. */
export interface Configure {
  readonly op: 'configure';
  readonly ticket: Ticket;
  readonly serials: readonly number[];
  readonly file: ConfigurationFile | undefined;
  /**
   * `written`: it is judged and applied. `resumed`: a server before this one may have done so: only when it is not what runs. `synced`: likewise, and the disk is
   * waited for.
   */
  readonly cause: 'written' | 'resumed' | 'synced';
  /** Names the save in the `configured` message. */
  readonly save: number;
}

/** A user file is to be renamed or linked to the name of a configuration. The outcome is also told as a `replaced` message. */
export interface ReplaceConfiguration {
  readonly op: 'replace';
  readonly ticket: Ticket;
  readonly serial: number;
  /** Names it in the `replaced` message. */
  readonly replacement: number;
  readonly file: ConfigurationFile | undefined;
  readonly how: 'rename' | 'link';
  /** Paths on this machine, by descriptors of the directories: nobody can put others in their places meanwhile. */
  readonly from: string | Uint8Array;
  readonly to: string | Uint8Array;
  /** These descriptors; the main thread's to close. */
  readonly directories: readonly number[];
  /** The file's path below config/ as yet; that of the configuration where it comes from elsewhere. */
  readonly path: string;
  /** The file's own, for the answer to a link. */
  readonly nodeid: number;
}

/** Where servers leave what those after them have to know. */
export interface Directories {
  readonly kind: 'directories';
  /** For what need not survive a reboot. */
  readonly run: string;
  /** On the file system of config/: for files that are open and have no name any more. */
  readonly unlinked: string;
}

/** What the main thread tells the kernel thread; it takes them in before each request. */
export type KernelMessage =
  | TreeChange
  | { readonly kind: 'replaced'; readonly replacement: number; readonly done: boolean }
  /** A write to an open user file failed. */
  | { readonly kind: 'cut'; readonly fh: number }
  | { readonly kind: 'configured'; readonly save: number; readonly outcome: SaveOutcome }
  /** The first message of all. */
  | Directories
  /** The root of a VNF's guest is open, or cannot be opened. */
  | { readonly kind: 'rootOpened'; readonly serial: number }
  | { readonly kind: 'acted'; readonly nodeid: number }
  | { readonly kind: 'turn' }
  /** How long something on the disk of user files took, milliseconds; `probe`: of those who wait for that. */
  | { readonly kind: 'paced'; readonly tookMs: number; readonly probe: boolean }
  /** The kernel thread shall say that it is alive. */
  | { readonly kind: 'ping' };

/** Sends one to the main thread. */
export type Forward = (message: Forwarded) => void;
