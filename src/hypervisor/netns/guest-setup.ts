import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { newPortLines } from '../../network/index.ts';

/** What a guest's own files in /etc hold, by their path in its directory. */
export function etcFiles(spec: GuestSpec): Readonly<Record<string, string>> {
  const { name } = spec;
  return {
    'etc/hosts': ['127.0.0.1 localhost', '::1 localhost ip6-localhost', `127.0.1.1 ${name}`, ...spec.hosts, ''].join('\n'),
    'etc/hostname': `${name}\n`,
    'etc/resolv.conf': spec.boot.dns.map((server) => `nameserver ${server}\n`).join(''),
  };
}

/** What `ip -batch` is given to make a guest's ports, in its network namespace; empty when it has none. */
export function portCommands(spec: GuestSpec, fabric: string): string {
  return spec.ports
    .flatMap((port) => newPortLines(port, fabric))
    .map((line) => `${line}\n`)
    .join('');
}

/** Pairs of a path below /proc/sys ("-" before it: need not exist) and a value. Only settings of the guest's own network namespace are its to make. */
export function kernelSettings(spec: GuestSpec): (readonly [path: string, value: string])[] {
  const ipv6 = spec.ports.some(({ addresses }) => addresses.some((address) => address.includes(':')));
  const set = Object.entries(spec.boot.sysctl).map(([name, value]) => [sysctlPath(name), value.replaceAll(/\s+/g, ' ')] as const);
  return [...(ipv6 ? [] : [['-net/ipv6/conf/default/disable_ipv6', '1'] as const]), ...set];
}

function sysctlPath(name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  if (/^net\/[\w./-]+$/.test(path) && !path.split('/').includes('..')) return path;
  throw new NfioError('UnsupportedError', {
    message: `sysctl.${name.slice(0, 80)} acts on the whole machine, not on one guest: only net.* settings can be given to a guest`,
  });
}
