import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DriverContext, GuestSpec, HypervisorDriver } from '../../src/domain/ports/hypervisor.ts';
import type { PortSpec, SegmentSpec } from '../../src/domain/ports/network.ts';
import { Fabric, FabricNetwork } from '../../src/network/index.ts';
import { assertNoLeaks, snapshotWorld } from './leaks.ts';
import { patient } from './patience.ts';

/** A driver on a mount of its own, in a temporary directory, with makers of what it is given. */
export abstract class HypervisorWorld<Driver extends HypervisorDriver> {
  readonly mountId = `t${randomBytes(4).toString('hex').slice(0, 7)}`;
  readonly base: string;
  readonly warnings: string[] = [];
  readonly signal: AbortSignal;
  readonly lan: SegmentSpec = { id: 'lan000', name: 'lan', uplink: '' };
  readonly wan: SegmentSpec = { id: 'wan000', name: 'wan', uplink: '' };
  fabric = new Fabric(this.mountId);
  network = new FabricNetwork(this.fabric);
  driver!: Driver;
  /** Those that closing the world destroys: those that were started by `running`, and any that a test adds. */
  readonly guests: GuestSpec[] = [];
  readonly #before = snapshotWorld(this.mountId);
  #serial = 0;

  /**
   * @param prefix How the name of its directory begins.
   * @param timeoutMs After so long its signal aborts what still runs.
   */
  constructor(prefix: string, timeoutMs = 120_000) {
    this.base = mkdtempSync(join(tmpdir(), prefix));
    this.signal = AbortSignal.timeout(patient(timeoutMs));
  }

  /** As a new process would: a fresh driver that knows nothing yet. */
  async again(): Promise<Driver> {
    await this.driver[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    this.fabric = new Fabric(this.mountId);
    this.network = new FabricNetwork(this.fabric);
    this.driver = this.makeDriver();
    return this.driver;
  }

  guest(overrides: Partial<GuestSpec> & { readonly boot?: GuestSpec['boot'] } = {}): GuestSpec {
    const id = `g${String(++this.#serial).padStart(5, '0')}`;
    const configDir = join(this.base, 'config', id);
    const guestDir = join(this.base, 'guests', id);
    for (const directory of [configDir, guestDir]) mkdirSync(directory, { recursive: true });
    const limits = { vcpu: undefined, memoryBytes: undefined };
    const spec = {
      id,
      type: 'host',
      name: `host-${this.#serial}`,
      host: '',
      owner: 0,
      image: '',
      limits,
      boot: plainBoot,
      command: undefined,
    };
    return { ...spec, ports: [], requires: [], configDir, guestDir, hosts: [], ...overrides };
  }

  port(address: string, overrides: Partial<PortSpec> = {}): PortSpec {
    const number = ++this.#serial;
    const mac = `02:00:00:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;
    const id = `q${String(number).padStart(5, '0')}`;
    const link = { mac, mtu: undefined, up: true, rateBps: undefined, delayUsec: undefined, lossPercent: undefined };
    return { id, name: 'eth0', segment: this.lan, addresses: address === '' ? [] : [address], gateway: undefined, ...link, ...overrides };
  }

  async running(overrides: Partial<GuestSpec> = {}): Promise<GuestSpec> {
    const spec = this.guest(overrides);
    this.guests.push(spec);
    await this.driver.deploy(spec, this.signal);
    await this.driver.start(spec, this.signal);
    return spec;
  }

  /** Runs a shell script in a guest. */
  async sh(spec: GuestSpec, script: string): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
    return this.driver.executeInGuest(spec, { argv: ['sh', '-c', script] }, { signal: this.signal });
  }

  /** Clears everything away, and fails when something is left. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(60_000); // the world's own may have aborted by now
    await Promise.all(this.guests.map((spec) => this.driver.destroy(spec, { force: true, signal })));
    for (const segment of [this.lan, this.wan]) await this.network.removeSegment(segment, signal);
    await this.network.removeIfUnused(signal);
    await this.driver[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    rmSync(this.base, { recursive: true, force: true });
    assertNoLeaks(this.#before, this.mountId);
    assertNoLeaks(snapshotWorld('\0'), this.base);
  }

  /** A driver that knows nothing yet. */
  protected abstract makeDriver(): Driver;

  /** What drivers are built from; warnings are kept. */
  protected get context(): DriverContext {
    const warn = (message: string): void => void this.warnings.push(message);
    const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
    return { mountId: this.mountId, runDir: join(this.base, 'run'), logger };
  }
}

/** What an empty boot.conf says. */
export const plainBoot: GuestSpec['boot'] = {
  command: undefined,
  env: {},
  capabilities: [],
  sysctl: {},
  mounts: [],
  privileged: false,
  dns: [],
  network: undefined,
};
