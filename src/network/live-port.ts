import { guestInterfaceName } from '../domain/guest-interface.ts';
import { isShaped, nextHops } from '../domain/port-plan.ts';
import type { NetworkSetup, PortSpec } from '../domain/ports/network.ts';
import { NfioError } from '../errors/index.ts';
import { changeRequests } from './change-requests.ts';
import type { Fabric } from './fabric.ts';
import { fabricPortName, ipLine } from './names.ts';
import { addressLine, gatewayLines, wayLines } from './port-lines.ts';
import { canOpen, newPortRequests, openingRequest, reroutingRequests } from './port-requests.ts';
import type { ProcessId } from './process-id.ts';
import { type RunResult, runProgram } from './run-program.ts';
import { shapePort } from './shape-port.ts';

/** A port of a running guest as it is, and as it shall be. */
export interface PortChange {
  readonly before: PortSpec | undefined;
  readonly after: PortSpec | undefined;
}

/** How a port is changed. */
export interface ChangeOptions {
  /** The guest is guarded: a port that is new, comes up, or goes to another network stays closed until its configuration is in force. */
  readonly guarded: boolean;
  /** Ids of its ports that are closed now. */
  readonly closed: readonly string[];
  readonly signal: AbortSignal;
}

/** True for a change after which the port of a guarded guest is closed. */
export function closes({ before, after }: PortChange): boolean {
  if (after === undefined || !canOpen(after)) return false;
  return before === undefined || isRemade(before, after) || !canOpen(before) || before.segment?.id !== after.segment?.id;
}

/** The ports that are closed after a change, of those that were before. */
export function closedAfter(closed: readonly string[], change: PortChange): string[] {
  const others = closed.filter((id) => id !== change.before?.id && id !== change.after?.id);
  const { after } = change;
  return after !== undefined && canOpen(after) && (closes(change) || closed.includes(after.id)) ? [...others, after.id] : others;
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
export async function changePort(guest: ProcessId, fabric: Fabric, change: PortChange, options: ChangeOptions): Promise<void> {
  const { before, after } = change;
  if (after === undefined) return before && fabric.removePorts([before.id]);
  if (before === undefined || isRemade(before, after)) {
    if (before !== undefined) await fabric.removePorts([before.id]);
    return addPorts(guest, fabric, [after], options);
  }
  if (isRoutedOnly(before, after)) return reroute(guest, fabric, { before, after }, options.signal);
  const inNetwork = (lines: readonly string[]): Promise<void> => inGuest(guest, lines, options.signal);
  const shape = (port: PortSpec): Promise<void> => shapePort(guest, fabric, port, options.signal);
  await changeEnds(fabric, { before, after }, { ...options, inGuest: inNetwork, shape });
}

/** True where two specifications differ in nothing but routes: hosts by the hundred have them changed when a router starts or ends. */
function isRoutedOnly(before: PortSpec, after: PortSpec): boolean {
  const bare = (port: PortSpec): string => JSON.stringify({ ...port, gateway: undefined, secondGateway: undefined, ways: undefined });
  return bare(before) === bare(after);
}

/** Changes the routes of a port, without a program: what fails is taken back. */
async function reroute(
  guest: ProcessId,
  fabric: Fabric,
  { before, after }: { readonly before: PortSpec; readonly after: PortSpec },
  signal: AbortSignal,
): Promise<void> {
  try {
    await fabric.changeGuest(guest, { settings: [], requests: reroutingRequests(before, after) }, signal);
  } catch (error) {
    const back = { settings: [], requests: reroutingRequests(after, before) };
    await fabric.changeGuest(guest, back, new AbortController().signal).catch(() => undefined);
    throw error;
  }
}

/** What differs between kinds of guests when a port is changed. */
export interface EndChange extends Pick<ChangeOptions, 'guarded' | 'closed'> {
  /** Runs ip commands in the guest. */
  readonly inGuest: (lines: readonly string[]) => Promise<void>;
  readonly shape: (port: PortSpec) => Promise<void>;
}

/** Changes both ends of a port that stays: what fails is taken back. Its neighbours hear of it. */
export async function changeEnds(
  fabric: Fabric,
  change: { readonly before: PortSpec; readonly after: PortSpec },
  how: EndChange,
): Promise<void> {
  const { before, after } = change;
  const isOpen = canOpen(before) && !how.closed.includes(before.id);
  const closing = how.guarded && closes(change);
  try {
    if (closing) await fabric.close([before]);
    await apply(fabric, change, how);
    if (!closing && closes(change)) await fabric.open([after]);
    else if (isOpen && !closing && isAnnounced(change)) await fabric.announce([after]);
  } catch (error) {
    await apply(fabric, { before: after, after: before }, how)
      .then(() => (isOpen && closing ? fabric.open([before]) : undefined))
      .catch(() => undefined);
    throw error;
  }
}

function isRemade(before: PortSpec, after: PortSpec): boolean {
  return before.id !== after.id || guestInterfaceName(before) !== guestInterfaceName(after);
}

/** Neighbours have to learn of it. */
function isAnnounced({ before, after }: { readonly before: PortSpec; readonly after: PortSpec }): boolean {
  return before.mac !== after.mac || before.addresses.join() !== after.addresses.join();
}

/**
 * Makes ports in the network namespace of a running guest, and puts their other ends on their segments: all of them or none.
 *
 * @throws NetworkError with what the kernel said.
 */
export async function addPorts(
  guest: ProcessId,
  fabric: Fabric,
  ports: readonly PortSpec[],
  options: Omit<ChangeOptions, 'closed'>,
): Promise<void> {
  if (ports.length > 0) await changeNetwork(guest, fabric, { ports, setup: { settings: [], changes: [] } }, options);
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
  { guarded, signal }: Omit<ChangeOptions, 'closed'>,
): Promise<void> {
  const steered = ports.filter((port) => port.steered === true);
  const others = ports.filter((port) => port.steered !== true);
  const ipv6 = ports.some(({ addresses }) => addresses.some(isIpv6)) ? [enableIpv6] : [];
  const requests = [
    ...ports.flatMap((port) => newPortRequests(port, { guestPid: guest.pid, bridge: undefined })),
    ...setup.changes.flatMap(changeRequests),
    ...(guarded ? [] : steered.filter(canOpen).map(openingRequest)),
  ];
  try {
    await fabric.prepare(steered);
    await fabric.changeGuest(guest, { settings: [...ipv6, ...setup.settings], requests }, signal);
    for (const port of ports.filter(isShaped)) await shapePort(guest, fabric, port, signal);
    await fabric.attach(others); // whoever sends to it asks then how it queues
    if (!guarded) await fabric.open(others);
  } catch (error) {
    await fabric.removePorts(ports.map(({ id }) => id)).catch(() => undefined);
    throw error;
  }
}

async function apply(
  fabric: Fabric,
  { before, after }: { readonly before: PortSpec; readonly after: PortSpec },
  { inGuest: change, shape }: EndChange,
): Promise<void> {
  if (before.mtu !== after.mtu) await fabric.change([ipLine('link', 'set', 'dev', fabricPortName(after.id), 'mtu', after.mtu ?? 1500)]);
  await change(changeLines(before, after));
  if (isShapedOtherwise(before, after)) await shape(after);
  await fabric.attach([after]); // whoever sends to it asks then how it queues
}

/** What changes in the guest, in an order in which each step finds what it needs. */
export function changeLines(before: PortSpec, after: PortSpec): string[] {
  const name = guestInterfaceName(after);
  const set = (...words: readonly (string | number)[]): string => ipLine('link', 'set', 'dev', name, ...words);
  const wentUp = after.up && !before.up;
  const lines: string[] = [];
  const isRoutedOtherwise = nextHops(before).join() !== nextHops(after).join();
  const hasOtherWays = JSON.stringify(before.ways) !== JSON.stringify(after.ways);
  if (hasOtherWays && before.up) lines.push(...wayLines('del', before));
  if (isRoutedOtherwise && before.up) lines.push(...gatewayLines('del', before));
  if (before.mac !== after.mac) lines.push(set('address', after.mac));
  if (before.mtu !== after.mtu) lines.push(set('mtu', after.mtu ?? 1500));
  lines.push(...addressLines(before.addresses, after.addresses, name));
  if (before.up !== after.up) lines.push(set(after.up ? 'up' : 'down'));
  if (wentUp) lines.push(...after.addresses.filter(isIpv6).map((address) => addressLine('add', address, name))); // going down lost them
  if (wentUp || isRoutedOtherwise || before.addresses.join() !== after.addresses.join()) lines.push(...gatewayLines('add', after));
  if (wentUp || hasOtherWays || before.mac !== after.mac || before.addresses.join() !== after.addresses.join())
    lines.push(...wayLines('add', after));
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
