/** Directories of a VNF, by path below it, that who walks through it lists before `rfs`, in order of the directory or of the alphabet. */
const listedBefore: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['machine', 2],
  ['ports', 4],
]);
const all = 7;

/** A walk goes on at once: after this time, milliseconds, it is over. */
const windowMs = 10_000;

/** So many processes are remembered; the oldest goes when there would be more. */
const mostProcesses = 1024;

/** How far a process has come in the VNF that it was seen in last. */
interface Walk {
  readonly serial: number;
  listed: number;
  atMs: number;
}

/**
 * Programs that come upon a guest's root from above: `cp -r fw-a fw-b`, `chown -R alice fw-a`, `grep -r x nf-types`, os.walk in Python. They mean the VNF, and the root of its guest
 * holds the programs of a whole machine: they are shown what the guest wrote itself. Who names `rfs` is shown all of it. What gives the one kind away is that it lists all directories of
 * the VNF, one after the other.
 */
export class TreeWalkers {
  readonly #walks = new Map<number, Walk>();

  /** A process lists a directory of a VNF. */
  lists(pid: number, serial: number, path: string): void {
    const bit = listedBefore.get(path);
    if (bit === undefined) return;
    let walk = this.#walks.get(pid);
    if (walk?.serial !== serial || path === '') {
      this.#walks.delete(pid);
      walk = { serial, listed: 0, atMs: 0 };
      this.#walks.set(pid, walk);
      this.#forgetOldest();
    }
    walk.listed |= bit;
    walk.atMs = performance.now();
  }

  /** True for a process that walks through a VNF, and has come to its guest's root. */
  covers(pid: number, serial: number): boolean {
    const walk = this.#walks.get(pid);
    const now = performance.now();
    if (walk === undefined || walk.serial !== serial || walk.listed !== all || now - walk.atMs > windowMs) return false;
    walk.atMs = now;
    return true;
  }

  #forgetOldest(): void {
    for (const oldest of this.#walks.keys()) {
      if (this.#walks.size <= mostProcesses) return;
      this.#walks.delete(oldest);
    }
  }
}
