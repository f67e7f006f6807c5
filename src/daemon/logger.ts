import { writeSync } from 'node:fs';
import type { Logger } from '../domain/ports/logger.ts';

const levels = ['error', 'warn', 'info', 'debug'] as const;

/** Writes lines with time and level to standard error, those of the level asked for and worse. */
export function createLogger(level: (typeof levels)[number]): Logger {
  const most = levels.indexOf(level);
  const writer =
    (own: (typeof levels)[number]) =>
    (message: string): void => {
      if (levels.indexOf(own) <= most) writeLine(`${new Date().toISOString()} ${own} ${message}\n`);
    };
  return { error: writer('error'), warn: writer('warn'), info: writer('info'), debug: writer('debug') };
}

/** A full disk, or a terminal that is gone, loses the line; the file system goes on. */
function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // There is nowhere left to say so.
  }
}
