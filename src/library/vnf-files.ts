import { constants, createReadStream } from 'node:fs';
import { mkdir, open, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { Errno, errnoOf } from '../errors/index.ts';
import { accessFailure, creationFailure, notMade, notRemoved, operationFailure, type VnfOperation } from './vnf-failure.ts';
import type { Place, VnfPlace } from './vnf-path.ts';

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

/** Makes the directory of a service chain. */
export async function makeChain(chain: Place, mode: number): Promise<void> {
  await mkdir(chain.path, { mode }).catch((cause: unknown) => {
    throw notMade(chain, cause);
  });
}

/** Removes an object with all that is in it, which it has to be at rest for. */
export async function removePlace(place: Place): Promise<void> {
  await rmdir(place.path).catch((cause: unknown) => {
    throw notRemoved(place, cause);
  });
}

/** Reads a file of an object up to its end, whatever size it reports: live files all report the same. */
export async function readVnfFile(place: Place, file: string): Promise<string> {
  try {
    return await text(createReadStream(`${place.path}/${file}`));
  } catch (cause) {
    throw accessFailure(place, cause);
  }
}

/** Writes to a file that is there, never making one. Resolves when what the write asks for is done. */
export async function writeVnfFile(place: Place, file: string, value: string, operation: VnfOperation): Promise<void> {
  const handle = await open(`${place.path}/${file}`, constants.O_WRONLY).catch((cause: unknown) => {
    throw accessFailure(place, cause);
  });
  try {
    // What does not end a line is carried out at the close, which then tells.
    await handle.writeFile(value).finally(() => handle.close());
  } catch (cause) {
    const said = await readVnfFile(place, 'error').catch(() => '');
    throw operationFailure({ place, operation, said: said.trimEnd() }, cause);
  }
}

function unlessThere(cause: unknown): void {
  if (errnoOf(cause) !== Errno.EEXIST) throw cause;
}
