import { encodeRequest, listWords } from '../resident-program.ts';
import { type RunResult, runProgram } from '../run-program.ts';
import { fastPathProgram } from './fast-path.ts';

/** A pair of interfaces, and the program at one of them. */
const script = 'ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; exec perl "$@"';

/** Why service chains have no fast path on this machine; undefined: they have one. Really tries it, in a network namespace that ends with it. */
export async function whyNoFastPath(signal: AbortSignal): Promise<string | undefined> {
  const offer = ['v0', 'v0', 'v1', '', '4', '0', '1'];
  const input = encodeRequest(['1', '/proc/self/ns/net', 'offer', ...listWords(offer)]).toString('latin1');
  const argv = ['unshare', '--net', '--', 'sh', '-ec', script, 'sh', fastPathProgram, 'nfio-fast-path doctor00'] as const;
  return reason(await runProgram(argv, { signal, input }));
}

function reason({ exitCode, stdout, stderr }: RunResult): string | undefined {
  if (exitCode !== 0) return stderr.trim().split('\n').at(-1) || `exit status ${exitCode}`;
  const refused = /^1 (?:none|fail \d+) (.*)$/m.exec(stdout)?.[1];
  if (refused !== undefined) return refused;
  return /^1 left /m.test(stdout) ? 'the kernel takes no BPF program at an interface' : undefined;
}
