import { setTimeout as sleep } from 'node:timers/promises';
import { NfioError } from '../../errors/index.ts';
import { searchPath } from '../search-path.ts';
import type { HostLink } from './host-link.ts';
import { isLibvirtError } from './rpc/libvirt-error.ts';
import { type DomainName, procedures } from './rpc/procedures.ts';

/** How long the agent may take to answer one command; what it runs goes on without it. Seconds. */
const answerSec = 15;

/** How much of a file one message carries, bytes. */
export const chunkBytes = 512 * 1024;

/** Where nf.io keeps files in the guest while a command runs. */
export const guestDirectory = '/run/nfio';

/** What came of a program that the agent runs (guest-exec-status in qapi-schema.json of qemu-ga). */
export interface AgentExec {
  readonly exited: boolean;
  readonly exitcode?: number;
  readonly signal?: number;
  readonly 'out-data'?: string;
  readonly 'err-data'?: string;
}

/** A program for the agent to run. */
export interface AgentProgram {
  readonly path: string;
  readonly arg: readonly string[];
  readonly env: readonly string[];
  readonly input?: Uint8Array;
  readonly capture: boolean;
}

/** The QEMU guest agent in one domain, spoken to through libvirt. Commands are carried out one at a time. */
export class GuestAgent {
  readonly #link: HostLink;
  readonly #domain: DomainName;
  readonly #name: string;

  constructor(link: HostLink, domain: DomainName, name: string) {
    this.#link = link;
    this.#domain = domain;
    this.#name = name;
  }

  /** True when it answers. */
  async answers(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#command('guest-ping', {}, signal);
      return true;
    } catch (error) {
      if (isLibvirtError(error, 'AGENT_UNRESPONSIVE', 'AGENT_UNSYNCED', 'OPERATION_INVALID', 'NO_DOMAIN')) return false;
      throw error;
    }
  }

  /** Starts a program; resolves to the number that the agent knows it by, its process id in the guest. */
  async start({ path, arg, env, input, capture }: AgentProgram, signal: AbortSignal): Promise<number> {
    const data = input === undefined ? {} : { 'input-data': Buffer.from(input).toString('base64') };
    const { pid } = (await this.#command('guest-exec', { path, arg, env, ...data, 'capture-output': capture }, signal)) as { pid: number };
    return pid;
  }

  /** How a program is doing. Of one that has ended this tells once. */
  async status(pid: number, signal: AbortSignal): Promise<AgentExec> {
    return (await this.#command('guest-exec-status', { pid }, signal)) as AgentExec;
  }

  /** Waits for a program to end: asked soon at first, then less and less often. */
  async wait(pid: number, signal: AbortSignal): Promise<AgentExec> {
    for (let pauseMs = 2; ; pauseMs = Math.min(200, pauseMs * 1.5)) {
      await sleep(pauseMs, undefined, { signal });
      const status = await this.status(pid, signal);
      if (status.exited) return status;
    }
  }

  /** Opens a file in the guest; resolves to its handle. */
  async open(path: string, mode: 'r' | 'w' | 'a', signal: AbortSignal): Promise<number> {
    return (await this.#command('guest-file-open', { path, mode }, signal)) as number;
  }

  /** The next bytes of an open file; none at its end. */
  async read(handle: number, count: number, signal: AbortSignal): Promise<Buffer> {
    const answer = (await this.#command('guest-file-read', { handle, count }, signal)) as { readonly 'buf-b64': string };
    return Buffer.from(answer['buf-b64'], 'base64');
  }

  async write(handle: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#command('guest-file-write', { handle, 'buf-b64': Buffer.from(data).toString('base64') }, signal);
  }

  /** Hands on what was written (fflush(3)). */
  async flush(handle: number, signal: AbortSignal): Promise<void> {
    await this.#command('guest-file-flush', { handle }, signal);
  }

  async close(handle: number, signal: AbortSignal): Promise<void> {
    await this.#command('guest-file-close', { handle }, signal);
  }

  async #command(execute: string, args: object, signal: AbortSignal): Promise<unknown> {
    const text = JSON.stringify({ execute, arguments: args });
    const answer = await this.#link.call(procedures.domainAgentCommand, [this.#domain, text, answerSec], signal);
    try {
      return (JSON.parse(answer) as { readonly return: unknown }).return;
    } catch (cause) {
      throw new NfioError('VNFCommandExecutionError', { message: `the guest agent of ${this.#name} answered no JSON`, cause });
    }
  }
}

/** Writes a file in the guest. */
export async function putFile(agent: GuestAgent, path: string, content: Uint8Array, signal: AbortSignal): Promise<void> {
  await agent.wait(
    await agent.start({ path: 'mkdir', arg: ['-p', guestDirectory], env: [`PATH=${searchPath}`], capture: false }, signal),
    signal,
  );
  const handle = await agent.open(path, 'w', signal);
  for (let start = 0; start < content.length; start += chunkBytes)
    await agent.write(handle, content.subarray(start, start + chunkBytes), signal);
  await agent.close(handle, signal);
}

/** True for what libvirt says when no agent has opened its end, or it does not answer. */
export function isAgentMissing(error: unknown): boolean {
  return isLibvirtError(error, 'AGENT_UNRESPONSIVE', 'AGENT_UNSYNCED');
}

/** The error for a guest in which no agent answers. */
export function noAgent(name: string, cause?: unknown): NfioError {
  return new NfioError('UnsupportedError', {
    message: `${name} has no guest agent that answers: commands and nf_conf need qemu-guest-agent in its image (apt-get install qemu-guest-agent there)`,
    ...(cause === undefined ? {} : { cause }),
  });
}
