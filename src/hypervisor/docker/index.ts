export { DockerDriver, type DockerDriverOptions } from './driver.ts';
