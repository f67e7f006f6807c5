import { cpus, release } from 'node:os';
import { type MeasuredRow, meetsTarget, type Row } from './benchmark.ts';

const header = ['benchmark', 'operation', 'ours', 'peer', 'ratio (min–max)', 'target', 'result'] as const;

/** The machine in general terms. */
export function describeMachine(): string {
  const [major, minor] = release().split('.');
  return `${cpus().length} cores, Linux ${major}.${minor}, Node.js ${process.versions.node}`;
}

/** The rows as a Markdown table whose columns also line up as plain text, and a list of what was skipped. */
export function renderTable(rows: readonly Row[]): string {
  const measured = rows.filter((row) => row.kind === 'measured');
  const cells = [header, ...measured.map(measuredCells)];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  const skipped = rows
    .filter((row) => row.kind === 'skipped')
    .map((row) => `skipped: ${row.benchmark}, ${row.operation}, ${row.ours} ÷ ${row.peer}: ${row.reason}`);
  const table = measured.length === 0 ? [] : [lines[0], rule, ...lines.slice(1)];
  return [...table, ...skipped].join('\n');
}

function measuredCells(row: MeasuredRow): readonly string[] {
  const { ratio, target } = row;
  const met = meetsTarget(row);
  return [
    row.benchmark,
    row.operation,
    `${duration(row.ourTime.median)} ${row.ours}`,
    `${duration(row.peerTime.median)} ${row.peer}`,
    `${decimals(ratio.median)} (${decimals(ratio.min)}–${decimals(ratio.max)})`,
    target === undefined ? '' : `${target.exclusive === true ? '<' : '≤'} ${decimals(target.limit)}`,
    met === undefined ? '' : met ? 'ok' : 'missed',
  ];
}

function duration(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(1)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

/** Two decimals, or as many as show a small ratio. */
function decimals(ratio: number): string {
  return ratio.toFixed(ratio > 0 && ratio < 0.05 ? 4 : 2);
}
