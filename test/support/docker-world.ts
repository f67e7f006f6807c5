import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import { DockerDriver } from '../../src/hypervisor/docker/index.ts';
import type { TestEngine } from './docker-engine.ts';
import { testImage } from './guest-image.ts';
import { HypervisorWorld } from './hypervisor-world.ts';

/** Docker on a mount of its own, with an engine that may be shared. */
export class DockerWorld extends HypervisorWorld<DockerDriver> {
  readonly engine: TestEngine;

  constructor(engine: TestEngine, prefix = 'nfio-docker-') {
    super(prefix);
    this.engine = engine;
    this.driver = this.makeDriver();
  }

  override guest(overrides: Partial<GuestSpec> = {}): GuestSpec {
    return super.guest({ image: testImage, ...overrides });
  }

  protected makeDriver(): DockerDriver {
    return new DockerDriver({ ...this.context, dockerSocket: this.engine.socket }, this.fabric);
  }

  override async close(...guests: readonly GuestSpec[]): Promise<void> {
    await super.close(...guests);
    const left = await this.engine.ask<{ Names: string[] }[]>('GET', '/containers/json?all=1');
    const own = left.flatMap(({ Names }) => Names).filter((name) => name.includes(this.mountId));
    if (own.length > 0) throw new Error(`containers left: ${own.join(' ')}`);
  }
}
