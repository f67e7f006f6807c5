import type { HypervisorContract } from '../contract/hypervisor.ts';
import { TestEngine, whyNoEngine } from './docker-engine.ts';
import { DockerWorld } from './docker-world.ts';

/** Docker under the contract of all drivers, on an engine of its own. */
export function dockerContract(): HypervisorContract {
  let engine: TestEngine;
  return {
    name: 'docker',
    makeWorld: async () => {
      engine = await TestEngine.start();
      return new DockerWorld(engine);
    },
    kill: (id) => engine.ask('POST', `/containers/${id}/kill`),
    clear: () => engine[Symbol.asyncDispose](),
    skip: whyNoEngine(),
  };
}
