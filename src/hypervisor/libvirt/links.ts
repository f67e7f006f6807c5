import type { HostSpec, HostStatus } from '../../domain/ports/hypervisor.ts';
import { HostLink, type LinkListener } from './host-link.ts';
import { localUri, parseUri } from './rpc/uri.ts';

/** The libvirt daemons in use, one link for each address. */
export class Links implements Disposable {
  readonly #local: string;
  readonly #listener: LinkListener;
  readonly #links = new Map<string, HostLink>();
  #hosts: ReadonlyMap<string, HostSpec> = new Map();

  /** @param local URI of this machine's own daemon. */
  constructor(local: string | undefined, listener: LinkListener) {
    this.#local = local ?? localUri;
    this.#listener = listener;
  }

  /** The link to a daemon; made, not yet used, when there is none. @throws InvalidValueError for what is no address. */
  link(address: string): HostLink {
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    const certificates = this.#hosts.get(address)?.certificates ?? '';
    const link = new HostLink(address, { uri: parseUri(address, this.#local), certificates, listener: this.#listener });
    this.#links.set(address, link);
    return link;
  }

  /** What is known of a daemon, without asking it. */
  status(address: string): HostStatus {
    try {
      return this.link(address).status;
    } catch (error) {
      return { state: 'unreachable', why: (error as Error).message };
    }
  }

  /** Follows these machines from now on; others only as long as `isUsed`. */
  setHosts(hosts: readonly HostSpec[], isUsed: (link: HostLink) => boolean): void {
    const before = this.#hosts;
    this.#hosts = new Map(hosts.map((host) => [host.address, host]));
    for (const [address, link] of this.#links) {
      const changed = before.get(address)?.certificates !== this.#hosts.get(address)?.certificates;
      const dropped = changed || (before.has(address) && !this.#hosts.has(address));
      if (dropped && !isUsed(link)) this.#drop(address);
    }
    for (const { address } of hosts) {
      try {
        this.link(address).keep();
      } catch {
        // no address: its status says so
      }
    }
  }

  [Symbol.dispose](): void {
    for (const address of this.#links.keys()) this.#drop(address);
  }

  #drop(address: string): void {
    this.#links.get(address)?.[Symbol.dispose]();
    this.#links.delete(address);
  }
}
