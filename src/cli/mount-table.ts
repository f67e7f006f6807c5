import { readFile } from 'node:fs/promises';

/** A mount of this namespace, from proc(5) mountinfo. */
export interface MountEntry {
  readonly mountpoint: string;
  readonly fsType: string;
  readonly source: string;
}

/** Every mount there is, without touching any of them. */
export async function readMountTable(): Promise<readonly MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Parses the text of mountinfo: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`. */
export function parseMountInfo(text: string): readonly MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [fsType = '', source = ''] = after.split(' ');
      return { mountpoint: unescapeOctal(before.split(' ')[4] ?? ''), fsType, source: unescapeOctal(source) };
    });
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
