import { readFileSync } from 'node:fs';

/** Programs that copy trees and insist on making every file of a directory they made. */
const copiers = new Set(['cp', 'rsync', 'git']);

/**
 * `cp -r fw-a fw-b` makes fw-b and then each file in it, with O_EXCL and without looking first. In a file system whose directories are born with their files
 * every one of these would fail with EEXIST, so for the process that copies, and for nobody else, a directory it made shows only what it has
 * made in it. rsync and git look first, and would take a file that was there from the start for one that is up to date.
 */
export class CopyingProcesses {
  /** What a process has made in a directory it made: by pid and the directory's own place. */
  readonly #made = new Map<string, Set<string>>();
  readonly #pids = new Map<number, string[]>();

  /** A process makes a directory. @returns whether it is one that copies. */
  began(pid: number, parent: number, name: string): boolean {
    if (!this.#pids.has(pid)) {
      if (!copiers.has(commandName(pid))) return false;
      this.#forgetEnded();
      this.#pids.set(pid, []);
    }
    const key = keyOf(pid, parent, name);
    this.#pids.get(pid)?.push(key);
    this.#made.set(key, new Set());
    return true;
  }

  /** True for a file that this process has yet to make. `path` is below the directory `name` in `parent`. */
  hides(pid: number, directory: { readonly parent: number; readonly name: string }, path: string): boolean {
    if (this.#pids.size === 0) return false;
    const made = this.#made.get(keyOf(pid, directory.parent, directory.name));
    return made !== undefined && !made.has(path);
  }

  /** It makes one. */
  made(pid: number, directory: { readonly parent: number; readonly name: string }, path: string): void {
    this.#made.get(keyOf(pid, directory.parent, directory.name))?.add(path);
  }

  #forgetEnded(): void {
    for (const [pid, keys] of this.#pids) {
      if (copiers.has(commandName(pid))) continue;
      for (const key of keys) this.#made.delete(key);
      this.#pids.delete(pid);
    }
  }
}

function keyOf(pid: number, parent: number, name: string): string {
  return `${pid}/${parent}/${name}`;
}

/** The name of a process's program (proc_pid_comm(5)), empty when it has ended. */
function commandName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trimEnd();
  } catch {
    return '';
  }
}
