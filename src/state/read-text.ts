import { readFileSync } from 'node:fs';

/**
 * The text of a file of the state.
 *
 * @throws as node:fs does. read(2) knows no name and node:fs then tells none: here the error names the file, for who has to mend it.
 */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    if (error.path === undefined) error.message += ` '${path}'`;
    throw error;
  }
}
