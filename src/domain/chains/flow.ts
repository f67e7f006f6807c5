import { isIPv4 } from 'node:net';
import { NfioError } from '../../errors/index.ts';
import type { Flow, FlowEnd } from '../ports/steering.ts';

/**
 * Parses `tcp 10.1.0.10:1234 10.2.0.10:80`, `udp …` or `icmp 10.1.0.10 10.2.0.10`. A port may be left out: then it is any.
 *
 * @throws InvalidValueError (EINVAL) when it is none of these.
 */
export function parseFlow(text: string): Flow {
  const [protocol = '', source = '', destination = '', ...rest] = text.trim().split(/\s+/);
  if ((protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp') || rest.length > 0) throw refuse(text);
  const ends = [source, destination].map((end) => parseEnd(end));
  const [from, to] = ends;
  if (from === undefined || to === undefined || (protocol === 'icmp' && ends.some((end) => end?.port !== undefined))) throw refuse(text);
  return { protocol, source: from, destination: to };
}

/** The text of a flow, in its canonical form. */
export function flowText({ protocol, source, destination }: Flow): string {
  return `${protocol} ${endText(source)} ${endText(destination)}`;
}

/** The flow of the answers. */
export function flowBack({ protocol, source, destination }: Flow): Flow {
  return { protocol, source: destination, destination: source };
}

function endText({ address, port }: FlowEnd): string {
  return port === undefined ? address : `${address}:${port}`;
}

function parseEnd(text: string): FlowEnd | undefined {
  const [address = '', port, ...rest] = text.split(':');
  if (!isIPv4(address) || rest.length > 0) return undefined;
  if (port === undefined) return { address, port: undefined };
  return /^\d{1,5}$/.test(port) && Number(port) <= 65535 ? { address, port: Number(port) } : undefined;
}

function refuse(text: string): NfioError {
  return new NfioError('InvalidValueError', {
    message: `"${text.trim().slice(0, 80)}" is not a flow such as tcp 10.1.0.10:1234 10.2.0.10:80 (or without ports, or icmp and two addresses)`,
  });
}
