import { join } from 'node:path';
import type { ChainSteering, PacketCount, PortSteering, SteeringPlan } from '../../domain/ports/steering.ts';
import { idOf } from '../../domain/records.ts';
import { errnoName, NfioError } from '../../errors/index.ts';
import type { Fabric } from '../fabric.ts';
import { fabricPortName } from '../names.ts';
import { listWords, type Report, ResidentProgram } from '../resident-program.ts';
import { counterName } from './program.ts';

/** Beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'fast-path.pl');

/** What all packets do that leave a hop by a port. */
export interface Way {
  readonly port: string;
  /** The port by which they enter the next hop. */
  readonly next: string;
  /** The hardware address that they get; undefined: they keep theirs. */
  readonly mac: string | undefined;
  /** Versions of IP that are passed on: their digits. */
  readonly families: string;
}

/**
 * The ways from hop to hop that are the same for every packet, by the interface they begin at. What is not among them is for the rules of nft: the ends
 * of a service chain, hops of several instances, hops that only look, and what is traced or probed.
 */
export function fastWays(plan: SteeringPlan): ReadonlyMap<string, Way> {
  const plain = plan.chains.filter(({ traced, probe }) => traced === undefined && probe === undefined);
  const ways = plain.flatMap((chain) => chain.ports.flatMap((port) => wayFrom(chain, port) ?? []));
  return new Map(ways.map((way) => [fabricPortName(way.port), way]));
}

function wayFrom({ families }: ChainSteering, { port, onward: { copies, target } }: PortSteering): Way | undefined {
  if (target.kind !== 'hop' || copies.length > 0) return undefined;
  const [entry, ...others] = target.entries;
  if (entry === undefined || others.length > 0) return undefined;
  return { port, next: entry.port, mac: entry.mac, families: families.join('') };
}

/**
 * Takes packets from hop to hop past the rules of nft and one of two crossings, by a BPF program, where the kernel can (Linux 5.10). The rules stay
 * the truth: a way is withdrawn before they change, and offered when they say the same. Ways are the kernel's and outlive this process; those that an
 * earlier one left are withdrawn first.
 */
export class FastPath implements AsyncDisposable {
  readonly #fabric: Fabric;
  readonly #process: ResidentProgram;
  /** By interface; undefined: something may be there that is not wanted any more. */
  #offered = new Map<string, Way | undefined>();
  #begun = false;
  /** False on a kernel that has no such program. */
  #works = true;

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
    this.#process = new ResidentProgram(program, { title: `nfio-fast-path ${fabric.mountId}` });
  }

  /**
   * Leaves to nft whatever is not among the ways that are wanted.
   *
   * @param unused Names of counters that nobody reads any more.
   * @throws NetworkError when the kernel keeps a way: the rules must not change then.
   */
  async withdraw(wanted: ReadonlyMap<string, Way>, unused: readonly string[]): Promise<void> {
    const devices = [...this.#offered].filter(([device, way]) => !isSame(way, wanted.get(device))).map(([device]) => device);
    const keys = unused.flatMap((name) => keyOf(name) ?? []);
    if (this.#begun && devices.length + keys.length === 0) return;
    await this.#ask('withdraw', [...listWords(devices), ...listWords(keys)]);
    for (const device of devices) this.#offered.delete(device);
    this.#begun = true;
  }

  /** Takes the ways that are wanted past nft, as far as it can be done: for others the rules are there. */
  async offer(wanted: ReadonlyMap<string, Way>): Promise<void> {
    const fresh = [...wanted].filter(([device]) => !this.#offered.has(device));
    if (fresh.length === 0) return;
    for (const [device, way] of fresh) this.#offered.set(device, way);
    await this.#ask('offer', listWords(fresh.flatMap(([, way]) => wayWords(way)))).catch(() => undefined);
  }

  /** An interface of this name is another one now. */
  forget(device: string): void {
    for (const [from, way] of this.#offered) {
      if (from === device || (way !== undefined && fabricPortName(way.next) === device)) this.#offered.set(from, undefined);
    }
  }

  /** What was counted, by the names of the counters in nft that it adds to. */
  async counts(): Promise<ReadonlyMap<string, PacketCount>> {
    const reports = await this.#ask('counts', []);
    return new Map(
      reports.map(({ rest }) => {
        const [key = 0, packets = 0, bytes = 0] = rest.split(' ').map(Number);
        return [nameOf(key), { packets, bytes }];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  /** Resolves to what was said before the last word. */
  #ask(verb: string, words: readonly string[]): Promise<readonly Report[]> {
    if (!this.#works) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const reports: Report[] = [];
      const number = this.#process.request([this.#fabric.netnsPath, verb, ...words], (report) => {
        if (report.word === 'count') {
          reports.push(report);
          return;
        }
        this.#process.forget(number);
        if (report.word === 'none') this.#works = false;
        if (report.word !== 'fail') resolve(reports);
        else reject(this.#failure(report.rest));
      });
    });
  }

  /** What the kernel has now is not known. */
  #failure(said: string): NfioError {
    for (const device of this.#offered.keys()) this.#offered.set(device, undefined);
    const [, number = '0', why = said] = /^(\d+) (.*)$/.exec(said) ?? [];
    return new NfioError('NetworkError', { errno: errnoName(Number(number)) ?? 'EIO', message: `the fast path of service chains: ${why}` });
  }
}

function isSame(one: Way | undefined, other: Way | undefined): boolean {
  return one !== undefined && other !== undefined && wayWords(one).join() === wayWords(other).join();
}

function wayWords({ port, next, mac, families }: Way): string[] {
  const keys = [counterName.from(port), counterName.into(next)].map((name) => keyOf(name) ?? '');
  return [fabricPortName(port), fabricPortName(next), mac ?? '', families, ...keys];
}

/** The number that a counter of a port has in the kernel; undefined for other counters. */
function keyOf(counter: string): string | undefined {
  const [, way, port = ''] = /^(from|into)_([a-z0-9]+)$/.exec(counter) ?? [];
  return way === undefined ? undefined : String(Number.parseInt(port, 36) * 2 + (way === 'into' ? 1 : 0));
}

function nameOf(key: number): string {
  const port = idOf(Math.floor(key / 2));
  return key % 2 === 1 ? counterName.into(port) : counterName.from(port);
}
