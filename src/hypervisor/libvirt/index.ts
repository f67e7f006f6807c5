export { LibvirtDriver, type LibvirtDriverOptions } from './driver.ts';
