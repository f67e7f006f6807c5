import { join } from 'node:path';
import { guestInterfaceIndexes, serialOfGuestInterface } from '../domain/guest-interface.ts';
import type { PortState } from '../domain/ports/network.ts';
import { ResidentProgram } from './resident-program.ts';

/** Beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'link-watch.pl');

/** How long until it is started again when it died, milliseconds. */
const restartMs = 1000;

/** Hears of a port, by serial, whenever its end in the guest has become another; undefined: it is gone. */
export type PortListener = (port: number, state: PortState | undefined) => void;

/** Learns from the kernel how the guests' ends of ports are, whoever changed them: one process for all guests of a mount. */
export class LinkWatch extends ResidentProgram {
  readonly #fabric: string;
  readonly #listener: PortListener;
  #ended = false;
  #begun = false;

  /** @param fabric Path of the fabric's network namespace. */
  constructor(mountId: string, fabric: string, listener: PortListener) {
    super(program, { title: `nfio-links ${mountId}` });
    this.#fabric = fabric;
    this.#listener = listener;
  }

  /** Begins to watch; the fabric has to be there. Begun once, it goes on. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const [least, most] = guestInterfaceIndexes.map(String) as [string, string];
    const number = this.request([this.#fabric, least, most], ({ word, rest }) => {
      if (word !== 'fail') return this.#take(word, rest);
      this.forget(number);
      this.#begun = false;
      setTimeout(() => this.#ended || this.begin(), restartMs).unref();
    });
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await super[Symbol.asyncDispose]();
  }

  #take(word: string, rest: string): void {
    const [index, state, mtu] = rest.split(' ');
    this.#listener(serialOfGuestInterface(Number(index)), word === 'link' ? { up: state === 'up', mtu: Number(mtu) } : undefined);
  }
}
