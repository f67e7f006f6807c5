/**
 * File handles are numbers that tell what is needed to open the file again: a server that takes over a connection gets handles of the one before,
 * and the nodeid comes with every request.
 *
 *   sequence number * 8 + O_APPEND (4) + access mode (0 to 2)
 */
const modes = 8;
const accessModes = 3;
const appendBit = 4;
const O_APPEND = 0o2000;

/** Sequence numbers of two servers of one connection must differ; a process lives less long than this many handles take. */
const perServer = 2 ** 32;

/** Gives out handles. */
export class HandleNumbers {
  #next: number;

  /** @param generation how many servers the connection had before, at most 2^17. */
  constructor(generation: number) {
    this.#next = generation * perServer + 1;
  }

  /** A handle for a file opened with these open(2) flags. */
  make(flags: number): number {
    const sequence = this.#next;
    this.#next += 1;
    return sequence * modes + ((flags & O_APPEND) === 0 ? 0 : appendBit) + (flags & accessModes);
  }
}

/** The open(2) flags a handle was made with: access mode and O_APPEND. */
export function flagsOfHandle(fh: number): number {
  const low = fh % modes;
  return (low & accessModes) | ((low & appendBit) === 0 ? 0 : O_APPEND);
}
