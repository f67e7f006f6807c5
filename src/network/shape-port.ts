import { guestInterfaceName } from '../domain/guest-interface.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { isThere, NfioError } from '../errors/index.ts';
import type { Fabric } from './fabric.ts';
import { fabricPortName, ipLine } from './names.ts';
import type { ProcessId } from './process-id.ts';
import { runProgram } from './run-program.ts';

/** The bucket holds this much of a second, and no less than a few packets even with segmentation offload. */
const bucketSeconds = 0.01;
const minBucketBytes = 64 * 1024;

/**
 * Limits, delays and loses packets in both directions: a queue on the guest's end for what leaves it, one on the fabric's end
 * for what enters it. Rates are a token bucket (tc-tbf(8)), delay and loss netem (tc-netem(8)), applied each way.
 *
 * @throws UnsupportedError (EOPNOTSUPP) naming the module this kernel lacks.
 */
export async function shapePort(guest: ProcessId, fabric: Fabric, port: PortSpec, signal: AbortSignal): Promise<void> {
  await shapeInterface(['nsenter', '--target', String(guest.pid), '--net'], guestInterfaceName(port), port, signal);
  await shapeInterface(['nsenter', `--net=${fabric.netnsPath}`], fabricPortName(port.id), port, signal);
}

/** Puts a port's queue on one interface, or takes it away. `enter` is the program that enters its network namespace. */
export async function shapeInterface(
  enter: readonly [string, ...string[]],
  name: string,
  port: PortSpec,
  signal: AbortSignal,
): Promise<void> {
  await runProgram([...enter, '--', 'tc', 'qdisc', 'del', 'dev', name, 'root'], { signal }); // fails when there is none
  const lines = queueLines(name, port);
  if (lines.length === 0) return;
  const result = await runProgram([...enter, '--', 'tc', '-batch', '-'], { signal, input: `${lines.join('\n')}\n` });
  if (result.exitCode === 0) return;
  const failed = lines[Number(/^Command failed -:(\d+)$/m.exec(result.stderr)?.[1] ?? 1) - 1] ?? '';
  const missing = ['sch_netem', 'sch_tbf'].find((module) => failed.includes(` ${module.slice(4)} `) && !isThere(`/sys/module/${module}`));
  if (missing !== undefined && /netem|tbf/.test(failed) && !(await canAdd(enter, missing.slice(4), signal))) {
    const what = missing === 'sch_netem' ? 'delay and loss' : 'rates';
    throw new NfioError('UnsupportedError', {
      message: `${what} need the kernel module ${missing}, which this kernel has not loaded. Run: modprobe ${missing}`,
    });
  }
  throw new NfioError('NetworkError', { message: `tc ${failed}: ${result.stderr.split('\n')[0] ?? ''}` });
}

/** Whether the kernel has a queueing discipline, asked with settings that are right for certain. */
async function canAdd(enter: readonly [string, ...string[]], kind: string, signal: AbortSignal): Promise<boolean> {
  const settings = kind === 'netem' ? ['delay', '1ms'] : ['rate', '1mbit', 'burst', '10000', 'latency', '50ms'];
  const added = await runProgram([...enter, '--', 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', kind, ...settings], { signal });
  if (added.exitCode === 0) await runProgram([...enter, '--', 'tc', 'qdisc', 'del', 'dev', 'lo', 'root'], { signal });
  return added.exitCode === 0;
}

function queueLines(name: string, port: PortSpec): string[] {
  const lines: string[] = [];
  const delayed = port.delayUsec !== undefined || port.lossPercent !== undefined;
  if (delayed) {
    const delay = port.delayUsec === undefined ? [] : ['delay', `${port.delayUsec}us`];
    const loss = port.lossPercent === undefined ? [] : ['loss', `${port.lossPercent}%`];
    lines.push(ipLine('qdisc', 'add', 'dev', name, 'root', 'handle', '1:', 'netem', ...delay, ...loss, 'limit', 10_000));
  }
  if (port.rateBps !== undefined) {
    const burst = Math.max(minBucketBytes, Math.ceil((port.rateBps / 8) * bucketSeconds));
    const place = delayed ? ['parent', '1:1', 'handle', '2:'] : ['root', 'handle', '2:'];
    lines.push(ipLine('qdisc', 'add', 'dev', name, ...place, 'tbf', 'rate', `${port.rateBps}bit`, 'burst', burst, 'latency', '50ms'));
  }
  return lines;
}
