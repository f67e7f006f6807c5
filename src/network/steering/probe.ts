import { fileURLToPath } from 'node:url';
import { ipv6HeaderBytes, probeEnds } from '../../domain/chains/probe-packet.ts';
import type { ProbeMark, ProbeRun, ProbeSighting } from '../../domain/ports/steering.ts';
import { NfioError } from '../../errors/index.ts';
import type { Fabric } from '../fabric.ts';
import { fabricPortName, ipLine, probeDevices } from '../names.ts';
import { runProgram } from '../run-program.ts';
import { probeSource } from './program.ts';

/** A probe that was not seen so long after the last one was sent is lost, milliseconds. An emulated machine that is busy needs some. */
const listenMs = 1000;

const prober = fileURLToPath(new URL('./prober.pl', import.meta.url));

/** Makes the pair of interfaces that probes of a service chain come in by. */
export async function openProbe(fabric: Fabric, chain: string): Promise<void> {
  const [sender, receiver] = probeDevices(chain);
  await closeProbe(fabric, chain);
  await fabric.change([
    ipLine('link', 'add', 'name', sender, 'type', 'veth', 'peer', 'name', receiver),
    ipLine('link', 'set', 'dev', receiver, 'up'),
    ipLine('link', 'set', 'dev', sender, 'up'),
  ]);
}

/** Removes it; one that is not there is as good as removed. */
export async function closeProbe(fabric: Fabric, chain: string): Promise<void> {
  await fabric.change([ipLine('link', 'del', probeDevices(chain)[0])]).catch(() => undefined);
}

/** @throws NetworkError (EIO) when probes cannot be sent. */
export async function sendProbes(fabric: Fabric, run: ProbeRun, signal: AbortSignal): Promise<readonly ProbeSighting[]> {
  const [sender] = probeDevices(run.chain);
  const devices = run.ports.map(fabricPortName);
  const { mark } = run;
  const type = etherType[mark.family];
  const frames = run.packets.map(({ direction, bytes }) => frameOf({ source: probeSource[direction], type, packet: bytes }));
  const known = [[12, type], ...marksAt(mark)].map(([offset, value]) => `${offset}:${value}`).join(',');
  const numbers = [mark.length, listenMs, devices.length].map(String);
  const argv = ['nsenter', `--net=${fabric.netnsPath}`, '--', 'perl', prober, sender, known, ...numbers, ...devices, ...frames] as const;
  const result = await runProgram(argv, { signal });
  if (result.exitCode !== 0)
    throw new NfioError('NetworkError', { message: `probes cannot be sent: ${result.stderr.split('\n')[0] ?? ''}` });
  return result.stdout.split('\n').flatMap(sightingOf);
}

const etherType = { 4: 0x0800, 6: 0x86dd } as const;

/** Where a frame has what probes are known by: offsets and values of 16 bits. */
function marksAt({ family, label, length }: ProbeMark): (readonly [offset: number, value: number])[] {
  if (family === 4)
    return [
      [18, label],
      [16, length],
    ];
  return [
    [16, label],
    [18, length - ipv6HeaderBytes],
  ];
}

/** An Ethernet frame to nobody in particular, in hexadecimal: hops are addressed by the steering. */
function frameOf({ source, type, packet }: { readonly source: string; readonly type: number; readonly packet: Uint8Array }): string {
  return `020000000000${source.replaceAll(':', '')}${type.toString(16).padStart(4, '0')}${Buffer.from(packet).toString('hex')}`;
}

function sightingOf(line: string): ProbeSighting[] {
  const [device = '', way, packet, seconds, nanoseconds, bytes] = line.split(' ');
  if (bytes === undefined) return [];
  // Within a day nanoseconds are exact numbers.
  const timeNs = (Number(seconds) % 86_400) * 1e9 + Number(nanoseconds);
  return [
    {
      port: device.slice(1),
      way: way === 'out' ? 'into' : 'from',
      packet: Number(packet),
      timeNs,
      ends: probeEnds(Buffer.from(bytes, 'hex')),
    },
  ];
}
