import type { TestEngine } from './docker-engine.ts';
import { testImage } from './guest-image.ts';
import { TestMount, type TestMountOptions } from './mount.ts';

/** A mount whose VNFs are containers of a test's engine. */
export function mountOn(engine: TestEngine, options: TestMountOptions = {}): Promise<TestMount> {
  return TestMount.start({ hypervisor: 'docker', dockerSocket: engine.socket, ...options });
}

/** Makes a host of the test image and activates it. @param image another one. */
export async function activate(mount: TestMount, name: string, image: string = testImage): Promise<void> {
  await mount.run(`mkdir -p nf-types/host; mkdir nf-types/host/${name}
    echo ${image} > nf-types/host/${name}/machine/vm.image
    echo activate > nf-types/host/${name}/action || { cat nf-types/host/${name}/error; exit 1; }`);
}
