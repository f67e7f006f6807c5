import { constants, createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { Errno, errnoOf } from '../errors/index.ts';
import { accessFailure, creationFailure, operationFailure, type VnfOperation } from './vnf-failure.ts';
import type { VnfPlace } from './vnf-path.ts';

/** Makes the directory of an instance, and that of its type unless it is there. */
export async function makeVnf(vnf: VnfPlace, mode: number): Promise<void> {
  try {
    // Not `recursive`, which makes ENOENT of the ENOSYS that says there is no such type.
    await mkdir(dirname(vnf.path)).catch(unlessThere);
    await mkdir(vnf.path, { mode });
  } catch (cause) {
    throw creationFailure(vnf, cause);
  }
}

/** Reads a file of an instance up to its end, whatever size it reports: live files all report the same. */
export async function readVnfFile(vnf: VnfPlace, file: string): Promise<string> {
  try {
    return await text(createReadStream(`${vnf.path}/${file}`));
  } catch (cause) {
    throw accessFailure(vnf, cause);
  }
}

/** Writes to a file that is there, never making one. Resolves when what the write asks for is done. */
export async function writeVnfFile(vnf: VnfPlace, file: string, value: string, operation: VnfOperation): Promise<void> {
  await using handle = await open(`${vnf.path}/${file}`, constants.O_WRONLY).catch((cause: unknown) => {
    throw accessFailure(vnf, cause);
  });
  try {
    await handle.writeFile(value);
  } catch (cause) {
    const said = await readVnfFile(vnf, 'error').catch(() => '');
    throw operationFailure({ vnf, operation, said: said.trimEnd() }, cause);
  }
}

function unlessThere(cause: unknown): void {
  if (errnoOf(cause) !== Errno.EEXIST) throw cause;
}
