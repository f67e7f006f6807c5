import type { PortSpec } from '../domain/ports/network.ts';
import type { ProcessId } from './process-id.ts';
import { runProgram } from './run-program.ts';

interface Interface {
  readonly ifname?: string;
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly scope: string }[];
}

/** First IPv4, else IPv6 address of a guest: of its ports as configured, else (it may configure them itself) as its kernel says. */
export async function findAddress(guest: ProcessId, ports: readonly PortSpec[], signal: AbortSignal): Promise<string> {
  const configured = ports.flatMap(({ addresses }) => addresses.map((address) => address.split('/')[0] ?? ''));
  const known = configured.find((address) => !address.includes(':')) ?? configured[0];
  if (known !== undefined) return known;
  if (ports.length === 0) return '';
  const shown = await runProgram(['nsenter', '--target', String(guest.pid), '--net', '--', 'ip', '-json', 'addr', 'show'], { signal });
  const interfaces = shown.exitCode === 0 ? (JSON.parse(shown.stdout || '[]') as readonly Interface[]) : [];
  const found = interfaces
    .filter(({ ifname }) => ifname !== 'lo')
    .flatMap(({ addr_info: info }) => (info ?? []).filter(({ scope }) => scope === 'global'));
  return (found.find(({ family }) => family === 'inet') ?? found[0])?.local ?? '';
}
