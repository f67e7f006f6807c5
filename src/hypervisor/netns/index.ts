export { NetnsDriver } from './driver.ts';
