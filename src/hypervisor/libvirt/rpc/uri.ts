import { NfioError } from '../../../errors/index.ts';

/** A libvirt daemon and what to open there (https://libvirt.org/uri.html). */
export interface LibvirtUri {
  readonly transport: 'unix' | 'ssh' | 'tls';
  /** What the daemon itself opens: qemu:///system, test:///default. */
  readonly name: string;
  /** Empty: this machine. */
  readonly host: string;
  readonly port: number | undefined;
  readonly user: string;
  /** Unix socket of the daemon; undefined: its usual place. */
  readonly socket: string | undefined;
  /** File with the key for ssh; undefined: what ssh finds. */
  readonly keyFile: string | undefined;
  /** File with the keys of hosts that ssh may trust; undefined: ssh's own. */
  readonly knownHosts: string | undefined;
  /** Whether guests are to be emulated, although that machine may offer KVM. */
  readonly emulated: boolean;
}

/** The daemon of this machine. */
export const localUri = 'qemu:///system';

const drivers = ['qemu', 'test'];
const transports = ['unix', 'ssh', 'tls'] as const;

/**
 * What an address of a machine means: nothing is this machine's own daemon; a name or an IP address is that machine's over ssh; everything
 * else is a URI: qemu:///system, qemu+ssh://root@host/system, qemu+tls://host/system, each with `?socket=PATH`, `?keyfile=PATH`, `?known_hosts=PATH` or `?emulate=yes` (no KVM there) if need be.
 *
 * @throws InvalidValueError (EINVAL) for what is none.
 */
export function parseUri(address: string, local: string = localUri): LibvirtUri {
  const text = address === '' ? local : address.includes('://') ? address : `qemu+ssh://${bracketed(address)}/system`;
  const [scheme = '', rest = ''] = splitOnce(text, '://');
  const [driver = '', transport] = scheme.split('+', 2);
  // The URL standard wants a scheme it knows to split authorities.
  const url = URL.canParse(`http://${rest.startsWith('/') ? 'localhost' : ''}${rest}`)
    ? new URL(`http://${rest.startsWith('/') ? 'localhost' : ''}${rest}`)
    : undefined;
  if (url === undefined || !drivers.includes(driver) || !/^\/[a-z]*$/.test(url.pathname)) throw invalid(address);
  const host = rest.startsWith('/') ? '' : url.hostname.replace(/^\[(.*)\]$/, '$1');
  // Neither may look like an option of ssh.
  if (host.startsWith('-') || url.username.startsWith('-')) throw invalid(address);
  return {
    transport: transportOf(transport, host, address),
    name: `${driver}://${url.pathname}`,
    host,
    port: url.port === '' ? undefined : Number(url.port),
    user: decodeURIComponent(url.username),
    socket: url.searchParams.get('socket') ?? undefined,
    keyFile: url.searchParams.get('keyfile') ?? undefined,
    knownHosts: url.searchParams.get('known_hosts') ?? undefined,
    emulated: url.searchParams.get('emulate') === 'yes',
  };
}

function transportOf(name: string | undefined, host: string, address: string): LibvirtUri['transport'] {
  const transport = name ?? (host === '' ? 'unix' : 'tls');
  const known = transports.find((each) => each === transport);
  if (known === undefined || (known === 'unix') !== (host === '')) throw invalid(address);
  return known;
}

/** An IPv6 address as URIs have it. */
function bracketed(address: string): string {
  return /^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*$/i.test(address) ? `[${address}]` : address;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

function invalid(address: string): NfioError {
  return new NfioError('InvalidValueError', {
    message: `"${address.slice(0, 120)}" is no address of a libvirt: write qemu:///system, qemu+ssh://HOST/system, qemu+tls://HOST/system or HOST`,
  });
}
