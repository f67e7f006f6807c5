import { guestInterfaceName } from '../../domain/guest-interface.ts';
import { networkCommands } from '../../domain/network-change.ts';
import type { ExecuteResult, GuestCommand, GuestSpec } from '../../domain/ports/hypervisor.ts';
import type { NetworkSetup, PortSpec } from '../../domain/ports/network.ts';
import { NfioError } from '../../errors/index.ts';
import { batchScript, checkBatch, guestEndLines } from '../../network/index.ts';
import { checkNetworkScript, networkScript } from './network-script.ts';

/** Exit status of a script that could not give an interface its name. */
const noName = 4;

/** Runs a program in the guest. */
export type RunInGuest = (command: GuestCommand) => Promise<ExecuteResult>;

/**
 * Gives interfaces their names, by MAC address; they appear a moment after they were plugged in. First all get names that nothing else
 * has, so that two can change places. Arguments: MAC address and name of each, then `--` and those of the script that goes on from here. Starts as few
 * programs as it can: each takes a tenth of a second where the processor is emulated.
 */
const nameScript = `
find_by_mac() {
  for tries in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    for each in /sys/class/net/*; do
      [ -e "$each/device" ] && read -r address <"$each/address" && [ "$address" = "$1" ] && { now=\${each##*/}; return 0; }
    done
    sleep 0.1
  done
  echo "no interface has the address $1" >&2
  return 1
}
away= back= number=0
while [ "$1" != -- ]; do
  find_by_mac "$1" || exit ${noName}
  [ "$now" = "$2" ] || {
    number=$((number + 1))
    away="$away
link set dev $now down
link set dev $now name nfio-tmp$number"
    back="$back
link set dev nfio-tmp$number name $2"
  }
  shift 2
done
shift
[ -z "$away" ] || echo "$away$back" | ip -batch - || exit ${noName}`;

/** Name, hosts and name servers of the guest, then kernel settings: pairs of a path and a value. A setting that cannot be made is told. */
const identityScript = `
hostname "$1"
echo "$1" >/etc/hostname
printf '%s' "$2" >/etc/hosts
[ -z "$3" ] || printf '%s' "$3" >/etc/resolv.conf
shift 3
while [ $# -gt 1 ]; do
  echo "$2" >"/proc/sys/$1" || exit 1
  shift 2
done`;

/**
 * Starts the main process, once: its output goes to the console; when it ends, the machine is switched off, and the console says how it
 * ended. Arguments: the command.
 */
const mainScript = `
[ ! -e /run/nfio/main ] || exit 0
mkdir -p /run/nfio
(stty -F /dev/console -opost) 2>/dev/null
setsid /bin/sh -c '
  "$@" </dev/null >/dev/console 2>&1
  printf "\\nnfio: main process ended with status %s\\n" $? >/dev/console
  sync
  poweroff -f
' sh "$@" </dev/null >/dev/null 2>&1 &
echo $! >/run/nfio/main`;

/** How the console says that the main process ended. */
export const endOfMain = /^nfio: main process ended with status (\d{1,3})\r?$/m;

/** Gives ports that were plugged into a guest their names, addresses and routes. @throws NetworkError with what ip said. */
export async function setUpPorts(run: RunInGuest, ports: readonly PortSpec[]): Promise<void> {
  if (ports.length === 0) return;
  const lines = ports.flatMap(portLines);
  checkBatch(lines, await runNamed(run, ports, { script: batchScript, args: [ipv6Flag(lines)], lines }));
}

/** The same, for ports without IPv6, and what else the guest's network needs. @throws NetworkError with what ip said. */
export async function setUpPortsAnd(run: RunInGuest, ports: readonly PortSpec[], setup: NetworkSetup): Promise<void> {
  const lines = [...ports.flatMap(portLines), ...setup.changes.flatMap(networkCommands)];
  checkNetworkScript(lines, await runNamed(run, ports, { script: networkScript, args: setup.settings.flat(), lines }));
}

/** Gives ports their names and goes on with a script of ip commands. @throws NetworkError for a port that has no interface. */
async function runNamed(
  run: RunInGuest,
  ports: readonly PortSpec[],
  { script, args, lines }: { readonly script: string; readonly args: readonly string[]; readonly lines: readonly string[] },
): Promise<ExecuteResult> {
  const names = ports.flatMap((port) => [port.mac, guestInterfaceName(port)]);
  const argv = ['sh', '-c', `${nameScript}\n${script}`, 'sh', ...names, '--', ...args];
  const result = await run({ argv, stdin: `${lines.join('\n')}\n` });
  if (result.exitCode !== noName) return result;
  throw new NfioError('NetworkError', { message: `the guest's interfaces: ${result.stderr.trim() || 'no name'}` });
}

function portLines(port: PortSpec): string[] {
  const sizeLine = port.mtu === undefined ? [] : [`link set dev ${guestInterfaceName(port)} mtu ${port.mtu}`];
  return [...sizeLine, ...guestEndLines(port)];
}

/** Runs ip commands in a guest. @throws NetworkError with what ip said. */
export async function changeInGuest(run: RunInGuest, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const stdin = `${lines.join('\n')}\n`;
  checkBatch(lines, await run({ argv: ['sh', '-c', batchScript, 'sh', ipv6Flag(lines)], stdin }));
}

/** What turns IPv6 on, where an address needs it. */
function ipv6Flag(lines: readonly string[]): '0' | '' {
  return lines.some((line) => /^addr replace [0-9a-f:]*:/.test(line)) ? '0' : '';
}

/** Gives a guest its name, its kernel settings and its environment. @throws VNFStartError with what the guest said. */
export async function setUpIdentity(run: RunInGuest, { name, hosts, boot }: GuestSpec): Promise<void> {
  const hostsFile = ['127.0.0.1 localhost', `127.0.1.1 ${name}`, ...hosts].map((line) => `${line}\n`).join('');
  const resolvers = boot.dns.map((address) => `nameserver ${address}\n`).join('');
  const settings = Object.entries(boot.sysctl).flatMap(([key, value]) => [key.replaceAll('.', '/'), value]);
  const result = await run({ argv: ['sh', '-c', identityScript, 'sh', name, hostsFile, resolvers, ...settings] });
  if (result.exitCode !== 0) throw new NfioError('VNFStartError', { message: `${name} could not be set up: ${result.stderr.trim()}` });
}

/** Starts the main process of a guest, if it has one and it does not run yet. */
export async function startMainProcess(run: RunInGuest, { name, command, boot }: GuestSpec): Promise<void> {
  if (command === undefined) return;
  const result = await run({ argv: ['sh', '-c', mainScript, 'sh', ...command], env: boot.env });
  if (result.exitCode !== 0) throw new NfioError('VNFStartError', { message: `the main process of ${name}: ${result.stderr.trim()}` });
}
