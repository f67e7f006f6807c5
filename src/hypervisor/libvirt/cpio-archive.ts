/** What an initramfs holds: directories, files and links, all of root. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly content: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const types = { directory: 0o040755, file: 0o100644, executable: 0o100755, link: 0o120777 } as const;

/**
 * An archive as the kernel unpacks it at boot: cpio, "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst). The same
 * entries give the same bytes. A directory must come before what is in it; those that are missing are added.
 */
export function cpioArchive(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  let number = 0;
  for (const entry of withDirectories(entries)) parts.push(...member(entry, ++number));
  parts.push(...record('TRAILER!!!', { mode: 0, number: 0, content: new Uint8Array() }));
  return Buffer.concat(parts);
}

function withDirectories(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) {
    const names = entry.path.split('/');
    for (let depth = 1; depth < names.length; depth++) {
      const path = names.slice(0, depth).join('/');
      if (!all.has(path)) all.set(path, { kind: 'directory', path });
    }
    all.set(entry.path, entry);
  }
  return [...all.values()];
}

function member(entry: Entry, number: number): Buffer[] {
  if (entry.kind === 'directory') return record(entry.path, { mode: types.directory, number, content: new Uint8Array() });
  if (entry.kind === 'link') return record(entry.path, { mode: types.link, number, content: Buffer.from(entry.target) });
  return record(entry.path, { mode: entry.executable ? types.executable : types.file, number, content: entry.content });
}

interface Member {
  readonly mode: number;
  readonly number: number;
  readonly content: Uint8Array;
}

/** Header of thirteen fields, name and content, the last two each padded to four bytes. */
function record(path: string, { mode, number, content }: Member): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = mode === types.directory ? 2 : 1;
  const fields = [number, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, zeros(header.length + name.length), Buffer.from(content), zeros(content.length)];
}

function zeros(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
