import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { DockerWorld } from '../support/docker-world.ts';
import { describeHypervisor } from './hypervisor.ts';

let engine: TestEngine;

describeHypervisor({
  name: 'docker',
  makeWorld: async () => {
    engine = await TestEngine.start();
    return new DockerWorld(engine);
  },
  kill: (id) => engine.ask('POST', `/containers/${id}/kill`),
  clear: () => engine[Symbol.asyncDispose](),
  skip: whyNoEngine(),
});
