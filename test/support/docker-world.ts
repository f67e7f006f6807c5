import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import { DockerDriver, type DockerDriverOptions } from '../../src/hypervisor/docker/index.ts';
import type { TestEngine } from './docker-engine.ts';
import { testImage } from './guest-image.ts';
import { HypervisorWorld } from './hypervisor-world.ts';

/** Docker on a mount of its own, with an engine that may be shared. */
export class DockerWorld extends HypervisorWorld<DockerDriver> {
  readonly engine: TestEngine;

  readonly #options: Pick<DockerDriverOptions, 'insecureEngines'>;

  constructor(engine: TestEngine, options: Pick<DockerDriverOptions, 'insecureEngines'> = {}) {
    super('nfio-docker-');
    this.engine = engine;
    this.#options = options;
    this.driver = this.makeDriver();
  }

  override guest(overrides: Partial<GuestSpec> = {}): GuestSpec {
    return super.guest({ image: testImage, ...overrides });
  }

  protected makeDriver(): DockerDriver {
    return new DockerDriver({ ...this.context, ...this.#options, dockerSocket: this.engine.socket }, this.fabric);
  }

  override async close(): Promise<void> {
    await super.close();
    const left = await this.engine.ask<{ Names: string[] }[]>('GET', '/containers/json?all=1');
    const own = left.flatMap(({ Names }) => Names).filter((name) => name.includes(this.mountId));
    if (own.length > 0) throw new Error(`containers left: ${own.join(' ')}`);
  }
}
