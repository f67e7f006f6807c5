import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from '../domain/bounded.ts';
import { NfioError } from '../errors/index.ts';
import type { Terminal } from './command.ts';
import { readVnfStates } from './vnf-states.ts';

/** Each takes a file of this process, whose limit may be 256, and time of a hypervisor. */
const destroyedAtOnce = 64;

/** Destroys every deployed VNF of a mount through its action file. Rejects with the first one's error when any could not be. */
export async function destroyAll(mountpoint: string, terminal: Terminal): Promise<void> {
  const states = await readVnfStates(mountpoint);
  if (states === undefined) throw noAnswer(mountpoint);
  const deployed = states.filter(({ status }) => status !== 'undeployed' && status !== 'unreadable');
  const failures = await mapBounded(deployed, ({ vnf }) => destroy(mountpoint, vnf), destroyedAtOnce);
  const first = failures.find((failure) => failure !== undefined);
  if (first !== undefined) throw first;
  if (terminal.interactive && deployed.length > 0) terminal.out(`Destroyed ${deployed.map(({ vnf }) => vnf).join(', ')}\n`);
}

/** The error of a mount through which nothing can be destroyed. */
export function noAnswer(mountpoint: string): NfioError {
  return new NfioError('TimeoutError', {
    message: `${mountpoint} does not answer, so its VNFs cannot be destroyed through it. Detach it: nfio umount --lazy ${mountpoint}`,
  });
}

/** Resolves to what went wrong, so that one failure does not keep the others from being destroyed. */
async function destroy(mountpoint: string, vnf: string): Promise<NfioError | undefined> {
  const directory = join(mountpoint, 'nf-types', vnf);
  try {
    await writeFile(join(directory, 'action'), 'destroy\n', { flag: 'r+' });
    return undefined;
  } catch (cause) {
    const why = (await readFile(join(directory, 'error'), 'utf8').catch(() => '')).trim() || (cause as Error).message;
    return new NfioError('VNFDestroyError', {
      message: `${vnf} could not be destroyed, so ${mountpoint} stays mounted: ${why}. Mend that, or leave it running: nfio umount ${mountpoint}`,
      cause,
    });
  }
}
