import { longestInterfaceName } from '../../../domain/guest-interface.ts';
import type { ConfigLanguage, GuestAccess } from '../../../domain/middlebox.ts';
import { NfioError } from '../../../errors/index.ts';
import { runInThrowAwayNetwork } from '../local-program.ts';
import { parseTc, type TcCommand } from './parse.ts';

/** Runs the batch on standard input in an empty namespace that has an interface of each name in "$@". */
const checkScript = `
n=0
for name; do n=$((n + 1)); echo "link add name $name type veth peer name nfio-peer$n"; done | ip -batch - || exit 3
tc -batch - || exit $(($? == 127 ? 127 : 4))
`;

/** Takes away what an earlier configuration made on each interface in "$@", with `=` before it all but its root; that there was nothing is no failure. */
const clearScript = `
for name; do
  case $name in =*) name=\${name#=} ;; *) echo "qdisc del dev $name root" ;; esac
  echo "qdisc del dev $name clsact"; echo "qdisc del dev $name ingress"
done | tc -force -batch - 2>/dev/null
exit 0
`;

/** The table that keeps what queues of before dropped, and the script that lists it behind the queues. */
const keeper = 'inet nfio_shaper';
const countScript = `tc -s -j qdisc show || exit 4; nft -j list counters table ${keeper} 2>/dev/null; exit 0`;

/**
 * Traffic control in the batch syntax of tc(8): what the guest's own ports send. Every command is tried first in a throw-away
 * namespace with the same ports, so that one the kernel refuses changes nothing in the guest.
 */
export function trafficControl(): ConfigLanguage {
  return {
    name: 'tc',
    check: ({ text }, guest) => tryOut(parseTc(text), guest),
    async apply({ text }, guest) {
      const commands = parseTc(text);
      await tryOut(commands, guest);
      await clear(guest);
      if (commands.length === 0) return;
      const { exitCode, stderr } = await guest.executeInNetwork({ argv: ['tc', '-batch', '-'], stdin: batchOf(commands) });
      if (exitCode !== 0) throw translate(commands, stderr, '; nothing is shaped now: save nf_conf again');
    },
    drops: (guest) => countDrops(guest),
  };
}

async function tryOut(commands: readonly TcCommand[], guest: GuestAccess | undefined): Promise<void> {
  for (const { port, line, words } of commands) {
    if (guest !== undefined && !guest.ports.includes(port)) {
      throw new NfioError('ConfigurationError', { message: `nf_conf line ${line}: the VNF has no port ${port}` });
    }
    if (words.includes('root') && guest?.shaped?.includes(port) === true) throw taken(port, line);
  }
  if (commands.length === 0) return;
  const options = { words: [...new Set(commands.map(({ port }) => port))], input: batchOf(commands), tool: 'tc', signal: guest?.signal };
  const { exitCode, stderr } = await runInThrowAwayNetwork(checkScript, options);
  if (exitCode !== 0) throw translate(commands, stderr, '');
}

/** Two queues cannot be at the root of one interface. */
function taken(port: string, line: number): NfioError {
  const message = `nf_conf line ${line}: ports/${port} has a rate, a delay or losses of its own, which are a queue at the same root. Use one of them. Run in the VNF's directory, to take those away: for f in rate delay loss; do echo > ports/${port}/$f; done`;
  return new NfioError('ConfigurationError', { message });
}

/** Takes all queues away that are not a port's own. What they dropped is kept by a counter of nftables, which has nothing else to do here. */
async function clear(guest: GuestAccess): Promise<void> {
  const ports = guest.ports.filter((port) => port.length <= longestInterfaceName);
  const drops = await countDrops(guest, guest.shaped);
  if (drops > 0) {
    const stdin = `add table ${keeper}\ndelete table ${keeper}\ntable ${keeper} {\ncounter drops { packets ${drops} bytes 0 }\n}\n`;
    const { exitCode, stderr } = await guest.executeInNetwork({ argv: ['nft', '-f', '-'], stdin });
    if (exitCode !== 0)
      throw new NfioError('ConfigurationError', { message: `nf_conf: the count of drops cannot be kept: ${firstLine(stderr)}` });
  }
  if (ports.length > 0)
    await guest.executeInNetwork({
      argv: ['sh', '-c', clearScript, 'sh', ...ports.map((port) => (guest.shaped?.includes(port) ? `=${port}` : port))],
    });
}

/**
 * Packets that queues dropped: of the outermost ones, which count for those within, and of those that were there before.
 *
 * @param except ports whose queue at the root is left out. Default: none.
 */
async function countDrops(guest: GuestAccess, except: readonly string[] = []): Promise<number> {
  const { exitCode, stdout, stderr } = await guest.executeInNetwork({ argv: ['sh', '-c', countScript] });
  if (exitCode !== 0) throw new NfioError('ConfigurationError', { message: `the queues cannot be listed: ${firstLine(stderr)}` });
  const [queues = '[]', counters = '{"nftables":[]}'] = stdout.trim().split(/\n(?=\{"nftables")/);
  const kept = (JSON.parse(counters) as { readonly nftables: readonly { readonly counter?: { readonly packets: number } }[] }).nftables;
  const outermost = (JSON.parse(queues) as readonly Queue[]).filter(
    ({ dev, root, kind }) => (root === true && !except.includes(dev)) || kind === 'ingress' || kind === 'clsact',
  );
  return (
    outermost.reduce((sum, { kind, drops = 0 }) => (kind === 'noqueue' ? sum : sum + drops), 0) +
    kept.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0)
  );
}

/** A queueing discipline as tc lists it. */
interface Queue {
  readonly dev: string;
  readonly root?: boolean;
  readonly kind: string;
  readonly drops?: number;
}

function batchOf(commands: readonly TcCommand[]): string {
  return commands.map(({ words }) => `${words.join(' ')}\n`).join('');
}

function translate(commands: readonly TcCommand[], stderr: string, rest: string): NfioError {
  const number = /^Command failed -:(\d+)$/m.exec(stderr)?.[1];
  const line = number === undefined ? undefined : commands[Number(number) - 1]?.line;
  const said = firstLine(stderr).replace(/^(Error|RTNETLINK answers): /, '');
  return new NfioError('ConfigurationError', { message: `nf_conf${line === undefined ? '' : ` line ${line}`}: ${said}${rest}` });
}

function firstLine(text: string): string {
  return text.split('\n').find((each) => each !== '') ?? 'no reason was given';
}
