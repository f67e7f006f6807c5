const blockBytes = 512;
const types = { file: '0', link: '2', directory: '5' } as const;

/** A member of an archive. */
export interface TarMember {
  readonly path: string;
  readonly type: keyof typeof types;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** Of a symbolic link. */
  readonly target?: string;
}

/** What ends an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);

/** What fills a member's last block. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((blockBytes - (size % blockBytes)) % blockBytes);
}

/** The header of a member (POSIX ustar, tar(5)); a path or target too long for it goes before it in an extended header. */
export function tarHeader(member: TarMember): Uint8Array {
  const { path, target = '' } = member;
  const long = Buffer.byteLength(path) > 100 || Buffer.byteLength(target) > 100;
  const short = header(member);
  if (!long) return short;
  const records = Buffer.from(`${paxRecord('path', path)}${target === '' ? '' : paxRecord('linkpath', target)}`);
  const extended = header({ ...member, path: 'pax', target: '', size: records.length }, 'x');
  return Buffer.concat([extended, records, tarPadding(records.length), short]);
}

function header({ path, mode, uid, gid, size, mtimeMs, type, target = '' }: TarMember, flag: string = types[type]): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, width: number): number =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  block.write(path, 0, 100);
  octal(mode, 100, 8);
  octal(uid & 0o7777777, 108, 8);
  octal(gid & 0o7777777, 116, 8);
  octal(size, 124, 12);
  octal(Math.max(0, Math.floor(mtimeMs / 1000)), 136, 12);
  block.write('        ', 148, 'latin1'); // what the sum is taken over
  block.write(flag, 156, 'latin1');
  block.write(target, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (bytes + String(length).length !== length) length = bytes + String(length).length;
  return `${length}${rest}`;
}
