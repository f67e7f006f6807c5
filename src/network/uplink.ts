import type { SegmentSpec } from '../domain/ports/network.ts';
import { NfioError } from '../errors/index.ts';
import type { Fabric } from './fabric.ts';
import { bridgeName, ipLine } from './names.ts';
import { runProgram } from './run-program.ts';

/** What `ip -json addr show` tells of an interface, as far as it is used here. */
interface Interface {
  readonly ifname: string;
  readonly link_type?: string;
  readonly master?: string;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number; readonly scope?: string }[];
}

/**
 * Connects segments to interfaces of this machine. The interface moves into the fabric and becomes a port of the segment's
 * bridge; disconnecting gives it back under its name. One that the machine itself needs (it carries addresses, or belongs to a
 * bridge or bond) is refused, for moving it would cut the machine off.
 */
export class Uplinks {
  readonly #fabric: Fabric;

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
  }

  /** Connects the segment to `segment.uplink`, or disconnects it when that is empty. Resolves to what was done. */
  async connect(segment: SegmentSpec, signal: AbortSignal): Promise<string> {
    const current = await this.#connected(segment, signal);
    if (segment.uplink === '') return this.disconnect(segment, signal);
    if (current.includes(segment.uplink)) return `network ${segment.name} is connected to ${segment.uplink}`;
    await this.#checkFree(segment.uplink, signal);
    const released = current.length > 0 ? `; ${await this.disconnect(segment, signal)}` : '';
    const name = segment.uplink;
    await ip(['link', 'set', 'dev', name, 'netns', this.#fabric.name], signal);
    try {
      await this.#fabric.change([ipLine('link', 'set', 'dev', name, 'master', bridgeName(segment), 'up')]);
    } catch (error) {
      await this.#giveBack(name, signal);
      throw error;
    }
    return `${name} was moved from this machine's network stack into network ${segment.name}; it comes back when uplink is emptied${released}`;
  }

  /** Gives the machine back what was connected. */
  async disconnect(segment: SegmentSpec, signal: AbortSignal): Promise<string> {
    const names = (await this.#fabric.exists()) ? await this.#connected(segment, signal) : [];
    for (const name of names) await this.#giveBack(name, signal);
    return names.length === 0 ? `network ${segment.name} has no uplink` : `${names.join(', ')} was given back to this machine`;
  }

  /** Members of the segment's bridge that are no ports of guests. The kernel shows all interfaces, so that one that is not there is no failure. */
  async #connected(segment: SegmentSpec, signal: AbortSignal): Promise<string[]> {
    const all = await show(['-netns', this.#fabric.name, 'link', 'show'], signal);
    const members = all.filter(({ master }) => master === bridgeName(segment));
    return members.map(({ ifname }) => ifname).filter((name) => !/^p[a-z0-9]{6,12}$/.test(name));
  }

  async #giveBack(name: string, signal: AbortSignal): Promise<void> {
    await ip(['-netns', this.#fabric.name, 'link', 'set', 'dev', name, 'nomaster', 'netns', String(process.pid)], signal);
  }

  async #checkFree(name: string, signal: AbortSignal): Promise<void> {
    ipLine(name);
    const found = (await show(['addr', 'show'], signal)).find(({ ifname }) => ifname === name);
    if (found === undefined) {
      throw new NfioError('NetworkError', {
        errno: 'ENODEV',
        message: `this machine has no interface ${name}. See those there are: ip -brief link`,
      });
    }
    const why = whyNeeded(found);
    if (why === undefined) return;
    const remedy = `Make an interface for nf.io and use that. Run: ip link add link ${name} name ${name.slice(0, 12)}-nf type macvlan mode bridge`;
    throw new NfioError('BusyError', { message: `${name} cannot be an uplink: ${why}. ${remedy}` });
  }
}

function whyNeeded(found: Interface): string | undefined {
  if (found.link_type === 'loopback') return "it is this machine's loopback";
  if (found.master !== undefined) return `it belongs to ${found.master}`;
  const addresses = (found.addr_info ?? [])
    .filter(({ scope }) => scope === 'global')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  return addresses.length > 0 ? `it carries addresses of this machine (${addresses.join(', ')})` : undefined;
}

/** What `ip` shows. @throws NetworkError with what it said. */
async function show(argv: readonly string[], signal: AbortSignal): Promise<readonly Interface[]> {
  return JSON.parse((await ip(['-json', ...argv], signal)) || '[]') as readonly Interface[];
}

/** @returns what it printed. */
async function ip(argv: readonly string[], signal: AbortSignal): Promise<string> {
  const result = await runProgram(['ip', ...argv], { signal });
  if (result.exitCode === 0) return result.stdout;
  throw new NfioError('NetworkError', { message: `ip ${argv.join(' ')}: ${result.stderr.trim() || `exit status ${result.exitCode}`}` });
}
