import { readFileSync } from 'node:fs';
import { type Cidr, contains, formatAddress, parseAddress } from '../domain/ip.ts';
import { unlessAbsent } from '../errors/index.ts';

const loopback4 = { family: 4, address: 0x7f000000n, prefixLength: 8 } as const;
const linkLocal4 = { family: 4, address: 0xa9fe0000n, prefixLength: 16 } as const;
/** proc(5), net/if_inet6: scope of an address that is good everywhere. */
const globalScope = '00';

/** The texts of files in /proc/PID/net (proc(5)) that addresses are seen in. */
export interface NetworkFiles {
  readonly dev: string;
  readonly fib_trie: string;
  readonly route: string;
  readonly if_inet6: string;
}

/**
 * The first global address of a network namespace as its kernel shows it, IPv4 before IPv6 and interfaces in their order; empty when there is none. It starts no
 * program (docs/adr/0008-killed-servers.md).
 *
 * @param pid of a process in it. @throws as node:fs does when it cannot be told.
 */
export function shownAddress(pid: number): string {
  const read = (name: string): string => unlessAbsent(() => readFileSync(`/proc/${pid}/net/${name}`, 'latin1')) ?? '';
  return addressIn({ dev: read('dev'), fib_trie: read('fib_trie'), route: read('route'), if_inet6: read('if_inet6') });
}

/** The same, of what the files say. */
export function addressIn(files: NetworkFiles): string {
  const interfaces = files.dev.split('\n').flatMap((line) => /^ *([^:| ]+):/.exec(line)?.[1] ?? []);
  const names = interfaces.filter((name) => name !== 'lo');
  const found = firstIpv4(files, names) ?? firstIpv6(files.if_inet6, names);
  return found === undefined ? '' : formatAddress(found);
}

/** fib_trie has the addresses, and route which network is on which interface. */
function firstIpv4({ fib_trie, route }: NetworkFiles, names: readonly string[]): Cidr | undefined {
  const own = [...fib_trie.matchAll(/\|-- ([\d.]+)\n +\/32 host LOCAL/g)]
    .map(([, address = '']) => parseAddress(address))
    .filter((address) => !contains(loopback4, address) && !contains(linkLocal4, address));
  const networks = connectedNetworks(route);
  for (const name of names) {
    const on = networks.filter((network) => network.name === name);
    const address = own.find((each) => on.some(({ network }) => contains(network, each)));
    if (address !== undefined) return address;
  }
  return own[0];
}

/** Lines of net/route: interface, destination, gateway, flags, …, mask (eighth). Numbers are hexadecimal, as the bytes are in memory. */
function connectedNetworks(route: string): { readonly name: string; readonly network: Cidr }[] {
  return route.split('\n').flatMap((line) => {
    const [name = '', destination = '', gateway, , , , , mask = ''] = line.trim().split(/\s+/);
    if (gateway !== '00000000' || mask === '00000000') return [];
    const prefixLength = (numberOf(mask).toString(2).match(/1/g) ?? []).length;
    return [{ name, network: { family: 4, address: numberOf(destination), prefixLength } as const }];
  });
}

function numberOf(hexadecimal: string): bigint {
  return BigInt(Buffer.from(hexadecimal, 'hex').readUInt32LE());
}

/** Lines of net/if_inet6: address, index, prefix length, scope, flags, name. */
function firstIpv6(text: string, names: readonly string[]): Cidr | undefined {
  const addresses = text.split('\n').flatMap((line) => {
    const [address = '', , , scope, , name = ''] = line.trim().split(/\s+/);
    return scope === globalScope && names.includes(name) ? [{ address, place: names.indexOf(name) }] : [];
  });
  const [first] = addresses.sort((a, b) => a.place - b.place);
  return first === undefined ? undefined : { family: 6, address: BigInt(`0x${first.address}`), prefixLength: 128 };
}
