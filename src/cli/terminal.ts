import { styleText } from 'node:util';
import type { Terminal } from './command.ts';

/** The terminal (or pipe, or file) this process writes to. NO_COLOR and a dumb terminal are honoured. */
export function processTerminal(): Terminal {
  // A reader that has seen enough (head) is no error; what a command has begun, it ends.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  const plain = Boolean(process.env['NO_COLOR']) || process.env['TERM'] === 'dumb';
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interactive: process.stdout.isTTY === true && !plain,
  };
}

/** Colours and weights that nfio uses. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Styles text for a terminal; leaves it plain elsewhere. */
export function paint(interactive: boolean, style: Style, text: string): string {
  return interactive ? styleText(style, text, { validateStream: false }) : text;
}

/** Lines up rows of cells in columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  return rows
    .map((row) => row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
