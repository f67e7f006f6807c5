import type { HostSpec, HostStatus } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { defaultCertificates, defaultSocket, Engine, formatEngineAddress, parseEngineAddress } from './engine/index.ts';
import { EngineLink, type LinkListener } from './engine-link.ts';

const connectTimeoutMs = 5000;

/** What engines may be spoken to, and how. */
export interface EnginesOptions {
  readonly mountId: string;
  readonly logger: Logger;
  /** Socket of this machine's engine. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** Whether engines may be spoken to without TLS or ssh. Default false. */
  readonly insecureEngines?: boolean;
}

/** The engines in use, one link for each address. */
export class Engines implements Disposable {
  readonly #options: EnginesOptions;
  readonly #listener: LinkListener;
  readonly #links = new Map<string, EngineLink>();
  #hosts: ReadonlyMap<string, HostSpec> = new Map();

  constructor(options: EnginesOptions, listener: LinkListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** The link to an engine; made, not yet used, when there is none. @throws InvalidValueError for what is no address. */
  link(address: string): EngineLink {
    const key = this.#key(address);
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const { dockerSocket = defaultSocket, insecureEngines = false, mountId, logger } = this.#options;
    const host = this.#hosts.get(key);
    const certificates = (): string => this.#hosts.get(key)?.certificates || defaultCertificates();
    const engine = new Engine(parseEngineAddress(address, dockerSocket), { certificates, insecure: insecureEngines, connectTimeoutMs });
    // What an engine says of processes and directories is believed only where the one who mounts has chosen it: not of a socket that
    // the owner of a VNF names.
    const local = engine.address.kind === 'unix' && (host !== undefined || engine.address.path === dockerSocket);
    const link = new EngineLink(engine, { mountId, local, listener: this.#listener, logger });
    this.#links.set(key, link);
    return link;
  }

  /** What is known of an engine, without asking it. */
  status(address: string): HostStatus {
    try {
      return this.#links.get(this.#key(address))?.status ?? { state: 'unknown', why: '' };
    } catch (error) {
      return { state: 'unreachable', why: (error as Error).message };
    }
  }

  /** The addresses that mean the engine of a link. */
  addressesOf(link: EngineLink): string[] {
    const own = [...this.#hosts].filter(([key]) => this.#links.get(key) === link).map(([, { address }]) => address);
    return link === this.#links.get(this.#key('')) ? [...new Set(['', ...own])] : own;
  }

  /** Follows the engines of these machines from now on; others only as long as `isUsed`. */
  setHosts(hosts: readonly HostSpec[], isUsed: (link: EngineLink) => boolean): void {
    const valid = hosts.filter(({ address }) => this.isAddress(address));
    const before = this.#hosts;
    this.#hosts = new Map(valid.map((host) => [this.#key(host.address), host]));
    for (const [key, { certificates }] of this.#hosts) {
      // What was connected with the certificates of before is connected anew.
      if (before.has(key) && before.get(key)?.certificates !== certificates) this.#links.get(key)?.engine.disconnect();
    }
    this.releaseUnused(isUsed);
    for (const { address } of valid) this.link(address).keep();
  }

  /** Lets go of engines that nothing is on. */
  releaseUnused(isUsed: (link: EngineLink) => boolean): void {
    for (const [key, link] of this.#links) if (!this.#hosts.has(key) && !isUsed(link)) this.#drop(key);
  }

  [Symbol.dispose](): void {
    for (const key of this.#links.keys()) this.#drop(key);
  }

  #drop(key: string): void {
    this.#links.get(key)?.[Symbol.dispose]();
    this.#links.delete(key);
  }

  #key(address: string): string {
    return formatEngineAddress(parseEngineAddress(address, this.#options.dockerSocket ?? defaultSocket));
  }

  /** True for what engines are named by; the status of anything else says why it is none. */
  isAddress(address: string): boolean {
    try {
      return this.#key(address) !== '';
    } catch {
      return false;
    }
  }
}
