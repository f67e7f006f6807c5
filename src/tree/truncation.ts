import { constants } from 'node:fs';
import type { RegularSpec } from './file-spec.ts';
import type { ObjectView } from './views.ts';

/**
 * `: > FILE` empties a value. O_TRUNC alone says nothing, for `echo VALUE > FILE` begins with it too and must not take the old value away before the new
 * one is there: a value is emptied when its file is closed with nothing written. A shell closes one descriptor before it runs what is to write, so
 * the first close(2) does not count unless it was the last.
 */
export type Truncation = 'none' | 'opened' | 'closed once';

/** What opening a file with these open(2) flags begins. */
export function truncationOf(spec: RegularSpec, flags: number): Truncation {
  return spec.write === 'setting' && (flags & (constants.O_TRUNC | constants.O_CREAT)) !== 0 ? 'opened' : 'none';
}

/** Takes note of a close; true when the value is to be emptied now. */
export function emptiesAtClose(
  file: { readonly spec: RegularSpec; truncation: Truncation },
  view: ObjectView,
  options: { readonly last: boolean },
): boolean {
  if (file.truncation === 'none') return false;
  if (file.truncation === 'opened' && !options.last) {
    file.truncation = 'closed once';
    return false;
  }
  file.truncation = 'none';
  return (view.texts[file.spec.path] ?? '') !== '';
}

/** The view with a value emptied: what readers see until the main thread has done it, or has refused. */
export function withoutText(view: ObjectView, path: string): ObjectView {
  return { ...view, texts: { ...view.texts, [path]: '' } };
}
