import { guestInterfaceName } from '../domain/guest-interface.ts';
import { nextHops } from '../domain/port-plan.ts';
import type { NetworkSetup, PortSpec } from '../domain/ports/network.ts';
import { NfioError } from '../errors/index.ts';
import { changeRequests } from './change-requests.ts';
import type { Fabric } from './fabric.ts';
import { fabricPortName, ipLine } from './names.ts';
import { addressLine, gatewayLines } from './port-lines.ts';
import { newPortRequests } from './port-requests.ts';
import type { ProcessId } from './process-id.ts';
import { type RunResult, runProgram } from './run-program.ts';
import { isShaped, shapePort } from './shape-port.ts';

/** A port of a running guest as it is, and as it shall be. */
export interface PortChange {
  readonly before: PortSpec | undefined;
  readonly after: PortSpec | undefined;
}

/** The ports of a guest after a change, of those that it had before. */
export function portsAfter(ports: readonly PortSpec[], { before, after }: PortChange): PortSpec[] {
  const others = ports.filter(({ id }) => id !== before?.id && id !== after?.id);
  return after === undefined ? others : [...others, after];
}

/**
 * Adds, changes or removes a port of a running guest.
 *
 * @throws NetworkError with what ip said; a port that could not be added is not there, one that could not be changed is as before.
 */
export async function changePort(guest: ProcessId, fabric: Fabric, change: PortChange, signal: AbortSignal): Promise<void> {
  const { before, after } = change;
  if (after === undefined) return before && fabric.removePorts([before.id]);
  if (before === undefined || before.id !== after.id || guestInterfaceName(before) !== guestInterfaceName(after)) {
    if (before !== undefined) await fabric.removePorts([before.id]);
    return addPorts(guest, fabric, [after], signal);
  }
  try {
    await apply(guest, fabric, before, after, signal);
  } catch (error) {
    await apply(guest, fabric, after, before, signal).catch(() => undefined);
    throw error;
  }
}

/**
 * Makes ports in the network namespace of a running guest, and puts their other ends on their segments: all of them or none.
 *
 * @throws NetworkError with what the kernel said.
 */
export async function addPorts(guest: ProcessId, fabric: Fabric, ports: readonly PortSpec[], signal: AbortSignal): Promise<void> {
  if (ports.length > 0) await changeNetwork(guest, fabric, { ports, setup: { settings: [], changes: [] } }, signal);
}

/**
 * Makes ports in the network namespace of a running guest, if any, and changes its network besides.
 *
 * @throws NetworkError with what the kernel said; then none of the ports is there.
 */
export async function changeNetwork(
  guest: ProcessId,
  fabric: Fabric,
  { ports, setup }: { readonly ports: readonly PortSpec[]; readonly setup: NetworkSetup },
  signal: AbortSignal,
): Promise<void> {
  const ipv6 = ports.some(({ addresses }) => addresses.some(isIpv6)) ? [enableIpv6] : [];
  const requests = [
    ...ports.flatMap((port) => newPortRequests(port, { guestPid: guest.pid, bridge: undefined })),
    ...setup.changes.flatMap(changeRequests),
  ];
  try {
    await fabric.prepare(ports.filter(({ steered }) => steered === true));
    await fabric.changeGuest(guest, { settings: [...ipv6, ...setup.settings], requests }, signal);
    for (const port of ports.filter(isShaped)) await shapePort(guest, fabric, port, signal);
    await fabric.attach(ports.filter(({ steered }) => steered !== true)); // whoever sends to it asks then how it queues
  } catch (error) {
    await fabric.removePorts(ports.map(({ id }) => id)).catch(() => undefined);
    throw error;
  }
}

async function apply(guest: ProcessId, fabric: Fabric, before: PortSpec, after: PortSpec, signal: AbortSignal): Promise<void> {
  if (before.mtu !== after.mtu) await fabric.change([ipLine('link', 'set', 'dev', fabricPortName(after.id), 'mtu', after.mtu ?? 1500)]);
  await inGuest(guest, changeLines(before, after), signal);
  if (isShapedOtherwise(before, after)) await shapePort(guest, fabric, after, signal);
  await fabric.attach([after]); // whoever sends to it asks then how it queues
}

/** What changes in the guest, in an order in which each step finds what it needs. */
export function changeLines(before: PortSpec, after: PortSpec): string[] {
  const name = guestInterfaceName(after);
  const set = (...words: readonly (string | number)[]): string => ipLine('link', 'set', 'dev', name, ...words);
  const wentUp = after.up && !before.up;
  const lines: string[] = [];
  const isRoutedOtherwise = nextHops(before).join() !== nextHops(after).join();
  if (isRoutedOtherwise && before.up) lines.push(...gatewayLines('del', before));
  if (before.mac !== after.mac) lines.push(set('address', after.mac));
  if (before.mtu !== after.mtu) lines.push(set('mtu', after.mtu ?? 1500));
  lines.push(...addressLines(before.addresses, after.addresses, name));
  if (before.up !== after.up) lines.push(set(after.up ? 'up' : 'down'));
  if (wentUp) lines.push(...after.addresses.filter(isIpv6).map((address) => addressLine('add', address, name))); // going down lost them
  if (wentUp || isRoutedOtherwise || before.addresses.join() !== after.addresses.join()) lines.push(...gatewayLines('add', after));
  return lines;
}

/**
 * What makes one list of addresses another one, in its order. There is always one of them, for with the last one the kernel takes the routes of the interface; and
 * with the first of a subnet it takes those that came after it there, so that they are given again.
 */
function addressLines(before: readonly string[], after: readonly string[], name: string): string[] {
  const different = after.findIndex((address, index) => address !== before[index]);
  const moved = different < 0 ? [] : after.slice(different);
  const removed = before.filter((address) => !after.includes(address));
  const add = (address: string): string => addressLine('add', address, name);
  const remove = (address: string): string => addressLine('del', address, name);
  return [
    ...moved.flatMap((address) => (before.includes(address) ? [remove(address), add(address)] : [add(address)])),
    ...removed.map(remove),
    ...(removed.length > 0 ? after.map(add) : []),
  ];
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** Runs ip commands in the guest's network namespace. What cannot be removed because the guest removed it itself is no failure. */
async function inGuest(guest: ProcessId, lines: readonly string[], signal: AbortSignal): Promise<void> {
  if (lines.length === 0) return;
  const ipv6 = lines.some((line) => /^addr replace [0-9a-f:]*:/.test(line));
  const argv = ['nsenter', '--target', String(guest.pid), '--net', '--', 'sh', '-c', batchScript, 'sh', ipv6 ? '0' : ''] as const;
  const result = await runProgram(argv, { signal, input: `${lines.join('\n')}\n` });
  checkBatch(lines, result);
}

/** Checks how `ip -force -batch` went. @throws NetworkError with what ip said of the first line that failed. */
export function checkBatch(lines: readonly string[], result: Pick<RunResult, 'exitCode' | 'stderr'>): void {
  const failures = parseFailures(result.stderr);
  const first = failures.find(({ line }) => !/^(addr|route) del /.test(lines[line - 1] ?? ''));
  if (first !== undefined) throw new NfioError('NetworkError', { message: `ip ${lines[first.line - 1] ?? ''}: ${first.said}` });
  if (result.exitCode > 2 || (result.exitCode > 0 && failures.length === 0))
    throw new NfioError('NetworkError', { message: `ip ended with status ${result.exitCode}: ${result.stderr.slice(0, 300)}` });
}

/** What ip -batch says of failed lines: words, then the number of the line. */
function parseFailures(stderr: string): { readonly line: number; readonly said: string }[] {
  return [...stderr.matchAll(/((?:.*\n)*?)Command failed -:(\d+)\n?/g)].map((match) => ({
    line: Number(match[2]),
    said: (match[1] ?? '').trim().replaceAll('\n', ' ').slice(0, 300),
  }));
}

/** IPv6 is off in guests without an IPv6 address, so that what they count is what they send; the first one turns it on. */
const enableIpv6 = ['-net/ipv6/conf/all/disable_ipv6', '0'] as const;

/** Runs ip -batch, after the same for the guest of $1: 0 turns IPv6 on. */
export const batchScript = `
[ "$1" = '' ] || for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo "$1" >"$f"; done
exec ip -force -batch -`;

/** True when the queues of a port have to be made anew. */
export function isShapedOtherwise(before: PortSpec, after: PortSpec): boolean {
  return before.rateBps !== after.rateBps || before.delayUsec !== after.delayUsec || before.lossPercent !== after.lossPercent;
}
