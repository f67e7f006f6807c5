import type { Counters } from '../../domain/ports/hypervisor.ts';
import type { Guest } from './guest.ts';
import { procedures, type TypedParameter } from './rpc/procedures.ts';

/** VIR_DOMAIN_STATS_CPU_TOTAL, _BALLOON and _INTERFACE */
const stats = 2 | 4 | 16;

/** The counters of a guest on another machine, as its daemon tells them. What an interface of the machine received the guest sent. */
export async function remoteCounters(guest: Guest, signal: AbortSignal): Promise<Counters> {
  const [found] = await guest.link.call(procedures.connectGetAllDomainStats, [[guest.domain], stats, 0], signal);
  const parameters = found?.parameters ?? [];
  const sum = (...endings: readonly string[]): number =>
    parameters.filter(({ name }) => /^net\.\d+\./.test(name) && endings.some((ending) => name.endsWith(ending))).reduce(add, 0);
  const one = (name: string): number => add(0, parameters.find((parameter) => parameter.name === name) ?? { name, value: 0 });
  return {
    rx_bytes: sum('.tx.bytes'),
    rx_packets: sum('.tx.pkts'),
    tx_bytes: sum('.rx.bytes'),
    tx_packets: sum('.rx.pkts'),
    pkt_drops: sum('.rx.drop', '.tx.drop'),
    cpu_usec: Math.floor(one('cpu.time') / 1000),
    memory_bytes: one('balloon.rss') * 1024,
  };
}

function add(sum: number, { value }: TypedParameter): number {
  return sum + (typeof value === 'number' ? value : 0);
}
