import { isIP } from 'node:net';
import { NfioError } from '../../errors/index.ts';
import { formatAddress, parseAddress } from '../ip.ts';
import type { Flow, FlowEnd } from '../ports/steering.ts';

/**
 * Parses `tcp 10.1.0.10:1234 10.2.0.10:80`, `tcp [fd00::1]:1234 [fd01::1]:80`, `udp …` or `icmp 10.1.0.10 10.2.0.10`. A port may be left out: then
 * it is any.
 *
 * @throws InvalidValueError (EINVAL) when it is none of these.
 */
export function parseFlow(text: string): Flow {
  const [protocol = '', source = '', destination = '', ...rest] = text.trim().split(/\s+/);
  if ((protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp') || rest.length > 0) throw refuse(text);
  const ends = [source, destination].map((end) => parseEnd(end));
  const [from, to] = ends;
  if (from === undefined || to === undefined || (protocol === 'icmp' && ends.some((end) => end?.port !== undefined))) throw refuse(text);
  const family = parseAddress(from.address).family;
  if (parseAddress(to.address).family !== family) throw refuse(text);
  return { protocol, family, source: from, destination: to };
}

/** The text of a flow, in its canonical form. */
export function flowText({ protocol, source, destination }: Flow): string {
  return `${protocol} ${endText(source)} ${endText(destination)}`;
}

/** The flow of the answers. */
export function flowBack({ protocol, family, source, destination }: Flow): Flow {
  return { protocol, family, source: destination, destination: source };
}

function endText({ address, port }: FlowEnd): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function parseEnd(text: string): FlowEnd | undefined {
  if (isAddress(text)) return { address: formatAddress(parseAddress(text)), port: undefined };
  const [, six, four, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = six ?? four ?? '';
  if (!isAddress(address) || address.includes(':') !== (six !== undefined) || Number(port ?? 0) > 65535) return undefined;
  return { address: formatAddress(parseAddress(address)), port: port === undefined ? undefined : Number(port) };
}

function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

function refuse(text: string): NfioError {
  return new NfioError('InvalidValueError', {
    message: `"${text.trim().slice(0, 80)}" is not a flow such as tcp 10.1.0.10:1234 10.2.0.10:80 or tcp [fd00::1]:1234 [fd01::1]:80 (or without ports, or icmp and two addresses)`,
  });
}
