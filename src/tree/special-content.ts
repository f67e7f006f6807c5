import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { eventsPathOf } from '../domain/event.ts';
import { unlessAbsent } from '../errors/index.ts';
import { readCounter } from './counters.ts';
import type { FileSpec, RegularSpec } from './file-spec.ts';
import type { ObjectView } from './views.ts';

const safely = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** True for what only the main thread can tell. */
export function isAsked(view: ObjectView, spec: RegularSpec): boolean {
  if (spec.content === 'module' || spec.content === 'report') return true;
  if (spec.content === 'counter' && view.kind === 'network') return true;
  if (view.kind === 'port' && view.asked && (spec.path === 'state' || spec.path === 'mtu')) return true;
  if (spec.content === 'steering') return (view.kind === 'chain' || view.kind === 'hop') && view.active;
  if (spec.content !== 'counter' || (view.kind !== 'vnf' && view.kind !== 'port') || view.counters === undefined) return false;
  if (view.counters.kind === 'remote' || spec.name === 'spoofed') return true;
  return view.kind === 'vnf' && view.countsDrops && spec.name === 'pkt_drops';
}

/** True for a file of this machine that grows. */
export function isStream(spec: FileSpec): boolean {
  return spec.type === 'file' && spec.content === 'stream';
}

/** True for the object whose stream, events, is replaced by a shorter one now and then, which goes on as it did. */
export function isReplaced(view: ObjectView): boolean {
  return view.kind === 'root';
}

/** The text of a file whose text the view, or the kernel, has. An empty value has no bytes at all. */
export function textOf(view: ObjectView, spec: RegularSpec): string {
  const text = spec.content === 'counter' ? counterText(view, spec) : (view.texts[spec.path] ?? '');
  return text === '' ? '' : `${text}\n`;
}

function counterText(view: ObjectView, spec: RegularSpec): string {
  if ((view.kind !== 'vnf' && view.kind !== 'port') || view.counters?.kind !== 'procfs') return '';
  const value = readCounter(view.counters, spec.name, view.kind === 'port' ? view.interfaceName : undefined);
  return value === undefined ? '' : String(value);
}

/** Where a stream is on this machine. Of events each user sees what concerns her. */
export function streamPath(view: ObjectView, spec: RegularSpec, uid: number): string {
  if (view.kind === 'root') return eventsPathOf(view.eventsPath, uid);
  if (view.kind !== 'vnf') return '';
  return spec.name === 'log' ? view.logPath : view.outputPath;
}

/** The size of what is live: the original's constant, so that tools which trust st_size still read it. */
export const liveSize = 1000;

/**
 * The size a file reports, in bytes: its true one, and the constant where the content is live, which is only known when it is read: of counters that count, and of what is asked for at
 * each read (where its module does not say better).
 *
 * @param uid who looks.
 */
export function sizeOf(view: ObjectView, spec: FileSpec, uid: number): number {
  if (view.kind === 'symlink') return Buffer.byteLength(view.target);
  if (view.kind === 'port' && spec.type === 'link') return Buffer.byteLength(view.linkTarget);
  if (spec.type !== 'file') return 0;
  if (spec.content === 'stream') return streamStats(view, spec, uid)?.size ?? 0;
  if (spec.content === 'module' && view.kind === 'vnf') return view.moduleFiles.find((file) => file.path === spec.path)?.size ?? liveSize;
  return isLive(view, spec) ? liveSize : Buffer.byteLength(textOf(view, spec));
}

/** True for content that changes by itself. */
export function isLive(view: ObjectView, spec: RegularSpec): boolean {
  if (isAsked(view, spec)) return true;
  return spec.content === 'counter' && (view.kind === 'vnf' || view.kind === 'port') && view.counters !== undefined;
}

/** Of the file behind a stream, undefined when nothing was written to it yet. */
export function streamStats(view: ObjectView, spec: RegularSpec, uid: number): Stats | undefined {
  const stats = statSync(streamPath(view, spec, uid), { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats : undefined;
}

/** Opens a stream for reading, undefined when nothing was written to it yet. */
export function openStream(path: string): number | undefined {
  const fd = unlessAbsent(() => openSync(path, safely));
  if (fd === undefined) return undefined;
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return undefined;
}
