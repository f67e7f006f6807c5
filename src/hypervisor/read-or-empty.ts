import { readFileSync } from 'node:fs';

/** The text of a small file of the kernel's or of the driver's own; empty when it cannot be read, as when what it tells of has ended. */
export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
