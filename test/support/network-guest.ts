import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { GuestAccess } from '../../src/domain/middlebox.ts';
import type { ExecuteResult, GuestCommand } from '../../src/domain/ports/hypervisor.ts';
import { runProgram } from '../../src/network/index.ts';

/** A namespace of this machine as a guest: what GuestAccess promises, by `ip netns exec`. */
export class NamespaceGuest implements GuestAccess, Disposable {
  readonly name: string;
  readonly ports: readonly string[];
  readonly signal: AbortSignal = new AbortController().signal;
  /** How many programs were run in it. */
  runs = 0;

  constructor(ports: readonly string[]) {
    this.name = `nfio-test-${randomBytes(4).toString('hex')}`;
    this.ports = ports;
    run(['ip', 'netns', 'add', this.name]);
    this.sync(['ip', 'link', 'set', 'lo', 'up']);
  }

  execute(command: GuestCommand): Promise<ExecuteResult> {
    return this.executeInNetwork(command);
  }

  executeInNetwork(command: GuestCommand): Promise<ExecuteResult> {
    this.runs += 1;
    const argv = ['ip', 'netns', 'exec', this.name, ...command.argv] as const;
    return runProgram(argv, { signal: this.signal, input: command.stdin ?? '', env: { ...process.env, ...command.env } });
  }

  /** Runs a program in it to its end. @throws Error when its status is not 0. */
  sync(argv: readonly string[], input = ''): string {
    return run(['ip', 'netns', 'exec', this.name, ...argv], input);
  }

  [Symbol.dispose](): void {
    spawnSync('ip', ['netns', 'delete', this.name]);
  }
}

/** Joins two guests by a pair of interfaces with an address each, `10.1.0.1/24` or `fd00::1/64`. */
export function joinGuests(ends: readonly [PortEnd, PortEnd]): void {
  const [one, other] = ends;
  one.guest.sync(['ip', 'link', 'add', 'name', one.port, 'type', 'veth', 'peer', 'name', other.port, 'netns', other.guest.name]);
  for (const { guest, port, addresses } of ends) {
    for (const address of addresses)
      guest.sync(['ip', 'address', 'add', address, 'dev', port, ...(address.includes(':') ? ['nodad'] : [])]);
    guest.sync(['ip', 'link', 'set', port, 'up']);
  }
}

/** One end of such a pair. */
export interface PortEnd {
  readonly guest: NamespaceGuest;
  readonly port: string;
  readonly addresses: readonly string[];
}

/** Why the tests that need namespaces cannot run, or undefined. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of ['ip', 'nft', 'tc', 'ping', 'unshare']) {
    if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status !== 0) return `needs the program ${program}`;
  }
  return undefined;
}

function run(argv: readonly string[], input = ''): string {
  const [program = '', ...args] = argv;
  const result = spawnSync(program, args, { input, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr || result.error}`);
  return result.stdout;
}
