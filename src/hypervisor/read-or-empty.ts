import { readFileSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';

/**
 * The text of a small file of the kernel's or of the driver's own; empty when there is none, as when what it tells of has ended.
 *
 * @throws as node:fs does when it is there and cannot be read: that tells nothing.
 */
export function readOrEmpty(path: string): string {
  return path === '' ? '' : (unlessAbsent(() => readFileSync(path, 'utf8')) ?? '');
}
