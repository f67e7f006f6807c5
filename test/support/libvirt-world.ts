import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import type { PortSpec, SegmentSpec } from '../../src/domain/ports/network.ts';
import { LibvirtDriver, type LibvirtDriverOptions } from '../../src/hypervisor/libvirt/index.ts';
import { Fabric, FabricNetwork } from '../../src/network/index.ts';
import { assertNoLeaks, snapshotWorld } from './leaks.ts';
import { plainBoot } from './netns-world.ts';

/** A libvirt driver on a mount of its own, with makers of what it is given. */
export class LibvirtWorld {
  readonly mountId = `v${randomBytes(4).toString('hex').slice(0, 7)}`;
  readonly base = mkdtempSync(join(tmpdir(), 'nfio-libvirt-'));
  readonly warnings: string[] = [];
  readonly signal = AbortSignal.timeout(170_000);
  readonly lan: SegmentSpec = { id: 'lan000', name: 'lan', uplink: '' };
  readonly image: string;
  readonly uri: string;
  fabric = new Fabric(this.mountId);
  network = new FabricNetwork(this.fabric);
  driver: LibvirtDriver;
  readonly #before = snapshotWorld(this.mountId);
  readonly #options: Pick<LibvirtDriverOptions, 'agentTimeoutMs'>;
  #serial = 0;

  /** @param options more of the driver's. */
  constructor(uri: string, image: string, options: Pick<LibvirtDriverOptions, 'agentTimeoutMs'> = {}) {
    this.#options = options;
    this.uri = uri;
    this.image = image;
    this.driver = this.#makeDriver();
  }

  /** As a new process would: a fresh driver that knows nothing yet. */
  async again(): Promise<LibvirtDriver> {
    await this.driver[Symbol.asyncDispose]();
    this.fabric = new Fabric(this.mountId);
    this.network = new FabricNetwork(this.fabric);
    this.driver = this.#makeDriver();
    return this.driver;
  }

  guest(overrides: Partial<GuestSpec> = {}): GuestSpec {
    const id = `g${String(++this.#serial).padStart(5, '0')}`;
    const configDir = join(this.base, 'config', id);
    const guestDir = join(this.base, 'guests', id);
    for (const directory of [configDir, guestDir]) mkdirSync(directory, { recursive: true });
    const limits = { vcpu: undefined, memoryBytes: undefined };
    const spec = { id, type: 'host', name: `host-${this.#serial}`, host: '', image: this.image, limits, owner: 0 };
    return { ...spec, boot: plainBoot, command: undefined, ports: [], requires: [], configDir, guestDir, hosts: [], ...overrides };
  }

  port(address: string, overrides: Partial<PortSpec> = {}): PortSpec {
    const number = ++this.#serial;
    const mac = `02:00:00:00:01:${number.toString(16).padStart(2, '0')}`;
    const id = `w${String(number).padStart(5, '0')}`;
    const link = { mac, mtu: undefined, up: true, rateBps: undefined, delayUsec: undefined, lossPercent: undefined };
    return { id, name: 'eth0', segment: this.lan, addresses: address === '' ? [] : [address], gateway: undefined, ...link, ...overrides };
  }

  async running(overrides: Partial<GuestSpec> = {}): Promise<GuestSpec> {
    const spec = this.guest(overrides);
    await this.driver.deploy(spec, this.signal);
    await this.driver.start(spec, this.signal);
    return spec;
  }

  /** Runs a shell script in a guest. */
  async sh(spec: GuestSpec, script: string): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
    return this.driver.executeInGuest(spec, { argv: ['sh', '-c', script] }, { signal: this.signal });
  }

  /** Clears everything away, and fails when something is left. */
  async close(...guests: readonly GuestSpec[]): Promise<void> {
    const signal = AbortSignal.timeout(60_000);
    await Promise.all(guests.map((spec) => this.driver.destroy(spec, { force: true, signal })));
    await this.network.removeSegment(this.lan, signal);
    await this.network.removeIfUnused(signal);
    await this.driver[Symbol.asyncDispose]();
    rmSync(this.base, { recursive: true, force: true });
    assertNoLeaks(this.#before, this.mountId);
  }

  #makeDriver(): LibvirtDriver {
    const warn = (message: string): void => void this.warnings.push(message);
    const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
    return new LibvirtDriver(
      { mountId: this.mountId, runDir: join(this.base, 'run'), logger, libvirtUri: this.uri, ...this.#options },
      this.fabric,
    );
  }
}
