import { isShaped } from '../domain/port-plan.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { NfioError } from '../errors/index.ts';
import type { Fabric } from './fabric.ts';
import { checkBatch } from './live-port.ts';
import { fabricPortName, ipLine, machineTapName, shaperName } from './names.ts';
import { runProgram } from './run-program.ts';
import { shapeInterface } from './shape-port.ts';

/*
 * A virtual machine's port is a tap device. It is made in the machine's own network namespace, where the machine's hypervisor opens it, and
 * is then moved to the fabric: what was opened stays open (tun_chr_open in drivers/net/tun.c takes hold of the device, not of where it is).
 * Until then its name has to tell it from those of other mounts.
 */

/** Makes a tap for each port, with as many queues as will be opened. Those that are there from a start cut short are made anew. */
export async function makeTaps(
  ports: readonly PortSpec[],
  { fabric, queues }: { readonly fabric: Fabric; readonly queues: number },
  signal: AbortSignal,
): Promise<void> {
  if (ports.length === 0) return;
  const multi = queues > 1 ? ['multi_queue'] : [];
  const names = ports.map(({ id }) => machineTapName(fabric.mountId, id));
  await inMachine(
    names.map((name) => ipLine('link', 'del', 'dev', name)),
    signal,
  );
  const lines = names.flatMap((name) => [
    ipLine('tuntap', 'add', 'dev', name, 'mode', 'tap', ...multi),
    ipLine('link', 'set', 'dev', name, 'addrgenmode', 'none'),
  ]);
  checkBatch(lines, await inMachine(lines, signal));
}

/** Moves taps that QEMU has opened to the fabric, and puts them on their segments. Nothing passes them before `Fabric.open`. */
export async function moveTaps(ports: readonly PortSpec[], fabric: Fabric, signal: AbortSignal): Promise<void> {
  if (ports.length === 0) return;
  await fabric.ensure();
  const lines = ports.map(({ id }) =>
    ipLine('link', 'set', 'dev', machineTapName(fabric.mountId, id), 'name', fabricPortName(id), 'netns', fabric.name),
  );
  checkBatch(lines, await inMachine(lines, signal));
  const sized = ports.filter(({ mtu }) => mtu !== undefined);
  await fabric.change(sized.map(({ id, mtu }) => ipLine('link', 'set', 'dev', fabricPortName(id), 'mtu', mtu ?? 1500)));
  await fabric.attach(ports);
  for (const port of ports.filter(isShaped)) await shapeTap(fabric, port, signal);
}

/** Removes taps, wherever a start that was cut short left them. */
export async function removeTaps(ports: readonly PortSpec[], fabric: Fabric, signal: AbortSignal): Promise<void> {
  if (ports.length === 0) return;
  await fabric.removePorts(ports.map(({ id }) => id));
  if (ports.some(isShaped)) await fabric.change(ports.filter(isShaped).map(shaperRemoval)).catch(() => undefined);
  await inMachine(
    ports.map(({ id }) => ipLine('link', 'del', 'dev', machineTapName(fabric.mountId, id))),
    signal,
  );
}

/**
 * Limits, delays and loses packets in both directions, as shapePort does for a veth: what enters the guest queues on its tap; what
 * leaves it is led through an interface of its own (ifb) to queue there.
 *
 * @throws UnsupportedError (EOPNOTSUPP) naming the module this kernel lacks.
 */
export async function shapeTap(fabric: Fabric, port: PortSpec, signal: AbortSignal): Promise<void> {
  const enter = ['nsenter', `--net=${fabric.netnsPath}`] as const;
  const [tap, shaper] = [fabricPortName(port.id), shaperName(port.id)];
  await shapeInterface(enter, tap, port, signal);
  const tc = (...argv: readonly string[]) => runProgram([...enter, '--', 'tc', ...argv], { signal });
  await tc('qdisc', 'del', 'dev', tap, 'ingress'); // fails when there is none
  await fabric.change([shaperRemoval(port)]).catch(() => undefined);
  if (!isShaped(port)) return;
  await fabric.change([ipLine('link', 'add', 'name', shaper, 'type', 'ifb'), ipLine('link', 'set', 'dev', shaper, 'up')]);
  await shapeInterface(enter, shaper, port, signal);
  await tc('qdisc', 'add', 'dev', tap, 'handle', 'ffff:', 'ingress');
  const everything = ['protocol', 'all', 'u32', 'match', 'u32', '0', '0'];
  const led = await tc(
    'filter',
    'add',
    'dev',
    tap,
    'parent',
    'ffff:',
    ...everything,
    'action',
    'mirred',
    'egress',
    'redirect',
    'dev',
    shaper,
  );
  if (led.exitCode !== 0) throw new NfioError('NetworkError', { message: `tc filter: ${led.stderr.split('\n')[0]}` });
}

function shaperRemoval({ id }: PortSpec): string {
  return ipLine('link', 'del', 'dev', shaperName(id));
}

function inMachine(lines: readonly string[], signal: AbortSignal): ReturnType<typeof runProgram> {
  return runProgram(['ip', '-force', '-batch', '-'], { signal, input: `${lines.join('\n')}\n` });
}
