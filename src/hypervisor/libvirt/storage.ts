import { constants } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { errnoName, errnoOf, isAbsence, isThere, NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';
import { cloudSeed } from './cloud-seed.ts';
import { openWay, overlayFile, seedFile } from './guest-files.ts';
import type { BaseDisk, VmImage } from './image.ts';

/** Most user data that cloud-init is given, bytes. */
const maxUserData = 1024 * 1024;

/** Files of an instance that QEMU works on. */
export interface InstanceFiles {
  readonly overlay: string | undefined;
  readonly seed: string | undefined;
}

/**
 * Makes the disk of an instance, if it has none yet, and its seed anew. The image is only read.
 *
 * @throws MissingToolError, VNFDeployError with what qemu-img said.
 */
export async function makeInstanceFiles(spec: GuestSpec, image: VmImage, signal: AbortSignal): Promise<InstanceFiles> {
  const overlay = image.disk === undefined ? undefined : await makeOverlay(spec.guestDir, image.disk, signal);
  const seed = image.disk !== undefined && !image.agent ? await makeSeed(spec, signal) : undefined;
  if (overlay !== undefined || seed !== undefined) openWay(spec.guestDir);
  return { overlay, seed };
}

async function makeOverlay(guestDir: string, base: BaseDisk, signal: AbortSignal): Promise<string> {
  const path = overlayFile(guestDir);
  if (isThere(path)) return path;
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base.path, '-F', base.format, path], signal);
  return path;
}

/** A CD named CIDATA, as cloud-init's NoCloud data source looks for one. */
async function makeSeed(spec: GuestSpec, signal: AbortSignal): Promise<string> {
  const path = seedFile(spec.guestDir);
  const directory = await mkdtemp(join(spec.guestDir, 'seed-'));
  try {
    for (const [name, text] of Object.entries(cloudSeed(spec, await readUserData(spec)))) await writeFile(join(directory, name), text);
    await run(['genisoimage', '-quiet', '-output', path, '-volid', 'CIDATA', '-joliet', '-rock', directory], signal);
    return path;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The file in config/ that boot.conf names. Its owner may have made it a link, which is refused. */
async function readUserData({ boot, configDir }: GuestSpec): Promise<string | undefined> {
  const name = boot.machine?.userData;
  if (name === undefined) return undefined;
  const file = await open(join(configDir, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      const errno = errnoName(errnoOf(cause)) ?? 'EIO';
      const what = isAbsence(cause) ? `there is no file config/${name}` : `config/${name} cannot be read (${errno})`;
      throw new NfioError('VNFDeployError', { errno, message: `boot.conf: user-data: ${what}`, cause });
    },
  );
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > maxUserData) {
      throw new NfioError('VNFDeployError', { errno: 'EINVAL', message: `config/${name} is no file of at most ${maxUserData} bytes` });
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function run(argv: readonly [string, ...string[]], signal: AbortSignal): Promise<void> {
  const { exitCode, stderr } = await runProgram(argv, { signal });
  if (exitCode === 0) return;
  throw new NfioError('VNFDeployError', { message: `${argv[0]}: ${stderr.trim().split('\n').at(-1)}` });
}
