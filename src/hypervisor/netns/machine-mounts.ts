import { readFileSync } from 'node:fs';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly superOptions: readonly string[];
}

let last: { readonly text: string; readonly mounts: readonly Mount[] } | undefined;

/** This process's mounts, in the order they were made. */
export function readMounts(): readonly Mount[] {
  const text = readFileSync('/proc/self/mountinfo', 'utf8');
  if (text !== last?.text) last = { text, mounts: text.trimEnd().split('\n').map(parseMount) };
  return last.mounts;
}

function parseMount(line: string): Mount {
  const [before = '', after = ''] = line.split(' - ');
  const [type = '', , superOptions = ''] = after.split(' ');
  return { path: unescapeOctal(before.split(' ')[4] ?? ''), type, superOptions: superOptions.split(',') };
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
