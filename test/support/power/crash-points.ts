import { closeSync, copyFileSync, openSync, writeSync } from 'node:fs';
import type { Recorded } from './record-format.ts';

/** A moment at which the power may fail: what was synced is on the disk, and of what was written since none, or some blocks in any order. */
export interface CrashPoint {
  /** How many entries of the recording are on the disk for certain. */
  readonly synced: number;
  /** Up to here some of the blocks are. */
  readonly end: number;
  /** Marks that had been made. */
  readonly marks: readonly string[];
}

const blockBytes = 4096;

/** Every crash point after the mark `begin`: one between each sync and the next. */
export function crashPoints(recording: readonly Recorded[]): CrashPoint[] {
  const points: CrashPoint[] = [];
  let [synced, marks]: [number, readonly string[]] = [0, []];
  recording.forEach(({ kind, data }, index) => {
    if (kind === 'mark') marks = [...marks, data.toString()];
    if (kind !== 'sync' && index < recording.length - 1) return;
    if (marks.includes('begin')) points.push({ synced, end: index, marks });
    synced = index + 1;
  });
  return points;
}

/**
 * Writes the disk that a crash point leaves.
 *
 * @param base of the recording. @param lottery says of each block that was not synced whether it is on the disk; absent: none is.
 */
export function writeCrashImage(
  { recording, base }: { readonly recording: readonly Recorded[]; readonly base: string },
  { synced, end }: CrashPoint,
  { path, lottery }: { readonly path: string; readonly lottery?: () => boolean },
): void {
  copyFileSync(base, path);
  const file = openSync(path, 'r+');
  const apply = ({ offset, data }: Recorded): void => void writeSync(file, data, 0, data.length, offset);
  for (const entry of recording.slice(0, synced)) if (entry.kind === 'write') apply(entry);
  for (const entry of lottery === undefined ? [] : recording.slice(synced, end)) {
    if (entry.kind !== 'write') continue;
    for (let at = 0; at < entry.data.length; at += blockBytes)
      if (lottery?.()) apply({ ...entry, offset: entry.offset + at, data: entry.data.subarray(at, at + blockBytes) });
  }
  closeSync(file);
}
