import { guestInterfaceName } from '../../domain/guest-interface.ts';
import type { PortState } from '../../domain/ports/network.ts';
import type { Guest } from './guest.ts';
import { runner, setUp } from './guest-access.ts';

/** IFF_UP of linux/if.h */
const up = 1;

/** A line for each interface in "$@" that is there: its name, its flags and its MTU. */
const script = `for name; do
  { read -r flags <"/sys/class/net/$name/flags" && read -r mtu <"/sys/class/net/$name/mtu"; } 2>/dev/null && echo "$name $flags $mtu"
done
exit 0`;

/** How the ports of a virtual machine are in it, by id. Only its agent can tell. */
export async function portStates(guest: Guest, signal: AbortSignal): Promise<ReadonlyMap<string, PortState>> {
  await setUp(guest, signal);
  const ids = new Map(guest.ports.map((port) => [guestInterfaceName(port), port.id]));
  const { stdout } = await runner(guest, signal)({ argv: ['/bin/sh', '-c', script, 'sh', ...ids.keys()] });
  const states = new Map<string, PortState>();
  for (const line of stdout.trim().split('\n')) {
    const [name = '', flags, mtu] = line.split(' ');
    const id = ids.get(name);
    if (id !== undefined) states.set(id, { up: (Number(flags) & up) !== 0, mtu: Number(mtu) });
  }
  return states;
}
