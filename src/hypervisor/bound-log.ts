import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';

const maxLogBytes = 16 * 1024 * 1024;
const keptLogBytes = 1024 * 1024;

/**
 * Cuts a log that has grown over 16 MiB down to its last 1 MiB: true when it did. Who appends to it (O_APPEND) without asking loses what
 * is written between reading and cutting.
 */
export async function boundLog(path: string): Promise<boolean> {
  const { size } = await stat(path);
  if (size <= maxLogBytes) return false;
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const kept = Buffer.alloc(keptLogBytes);
    const { bytesRead } = await file.read(kept, 0, keptLogBytes, size - keptLogBytes);
    await file.truncate(0);
    await file.write(kept, 0, bytesRead, 0);
  } finally {
    await file.close();
  }
  return true;
}
