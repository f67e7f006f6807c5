import { join } from 'node:path';
import type { PacketCount } from '../../domain/ports/steering.ts';
import { listWords, networkFailure, ResidentProgram } from '../resident-program.ts';

/** Beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'counter-reader.pl');

/** Families of tables, by their numbers in linux/netfilter.h. */
const families = { netdev: 5, bridge: 7 } as const;

/** Reads counters of nft by system calls of a process that stays: some hundredths of what it costs to start nft(8). */
export class CounterReader extends ResidentProgram {
  /** @param mountId For people who look at the list of processes. */
  constructor(mountId: string) {
    super(program, { title: `nfio-counters ${mountId}` });
  }

  /** A number that is another after each change of the rules of a network namespace, whoever makes it. @throws NetworkError with what the kernel said. */
  generation(netns: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const number = this.request([netns, '0', '', ...listWords([])], ({ word, rest }) => {
        this.forget(number);
        if (word === 'done') resolve(Number(rest));
        else reject(networkFailure('rules of the network', rest));
      });
    });
  }

  /**
   * What counters say now; without those that are not there.
   *
   * @param place.netns Path of the network namespace.
   * @param place.table Name of a table of that family.
   * @throws NetworkError with what the kernel said.
   */
  read(
    place: { readonly netns: string; readonly family: keyof typeof families; readonly table: string },
    names: readonly string[],
  ): Promise<ReadonlyMap<string, PacketCount>> {
    return new Promise((resolve, reject) => {
      const counts = new Map<string, PacketCount>();
      const number = this.request([place.netns, String(families[place.family]), place.table, ...listWords(names)], ({ word, rest }) => {
        if (word === 'count') {
          const [name = '', packets, bytes] = rest.split(' ');
          counts.set(name, { packets: Number(packets), bytes: Number(bytes) });
          return;
        }
        this.forget(number);
        if (word === 'done') resolve(counts);
        else reject(networkFailure('counters of the network', rest));
      });
    });
  }
}
