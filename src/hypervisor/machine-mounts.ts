import { readFileSync } from 'node:fs';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly superOptions: readonly string[];
}

/** This process's mounts, in the order they were made. */
export function readMounts(): Mount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n').map(parseMount);
}

function parseMount(line: string): Mount {
  const [before = '', after = ''] = line.split(' - ');
  const [type = '', , superOptions = ''] = after.split(' ');
  return { path: unescapeOctal(before.split(' ')[4] ?? ''), type, superOptions: superOptions.split(',') };
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
