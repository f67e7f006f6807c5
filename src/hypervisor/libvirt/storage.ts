import { constants } from 'node:fs';
import { mkdtemp, open, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { errnoName, errnoOf, isAbsence, isThere, NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';
import { cloudSeed } from './cloud-seed.ts';
import type { InstanceDisk } from './domain-xml.ts';
import { baseFile, bootFile, openWay, overlayFile, seedFile } from './guest-files.ts';
import { type BaseDisk, diskFormats, type KernelImage, readDisk, type VmImage } from './image.ts';
import { copyReadable, isRoots } from './readable-file.ts';

/** Most user data that cloud-init is given, bytes. */
const maxUserData = 1024 * 1024;

/** Files of an instance that QEMU works on. */
export interface InstanceFiles {
  /** What it starts from, with a kernel that is the instance's own. */
  readonly image: VmImage;
  readonly disk: InstanceDisk | undefined;
  readonly seed: string | undefined;
}

/**
 * Makes the disk of an instance, if it has none yet, and all else that it starts from anew. The image is only read. What others than root could exchange or write is copied first, and looked at
 * again, as it is opened by name later; kernels are copied always, as libvirt gives those that it boots to QEMU's user.
 *
 * @throws MissingToolError, VNFDeployError with what the image is refused for, or with what a program said.
 */
export async function makeInstanceFiles(spec: GuestSpec, image: VmImage, signal: AbortSignal): Promise<InstanceFiles> {
  const { guestDir } = spec;
  openWay(guestDir);
  const disk = image.disk === undefined ? undefined : await makeDisk(guestDir, image.disk, signal);
  const seed = image.disk !== undefined && !image.agent ? await makeSeed(spec, signal) : undefined;
  return { image: image.kind === 'kernel' ? await ownKernel(guestDir, image, signal) : image, disk, seed };
}

async function ownKernel(guestDir: string, image: KernelImage, signal: AbortSignal): Promise<KernelImage> {
  const own = async (name: 'kernel' | 'initrd', path: string): Promise<string> => {
    await rm(bootFile(guestDir, name), { force: true });
    await copyReadable(path, bootFile(guestDir, name), signal);
    return bootFile(guestDir, name);
  };
  const kernel = await own('kernel', image.kernel);
  return { ...image, kernel, initrd: image.initrd === undefined ? undefined : await own('initrd', image.initrd) };
}

async function makeDisk(guestDir: string, wanted: BaseDisk, signal: AbortSignal): Promise<InstanceDisk> {
  const overlay = overlayFile(guestDir);
  if (isThere(overlay)) return { overlay, base: await keptBase(guestDir, wanted) };
  const base = await makeBase(guestDir, wanted, signal);
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base.path, '-F', base.format, overlay], signal);
  return { overlay, base };
}

/** The image itself where root alone decides what it is, and a link for later; else a copy. */
async function makeBase(guestDir: string, wanted: BaseDisk, signal: AbortSignal): Promise<BaseDisk> {
  const place = baseFile(guestDir, wanted.format);
  await rm(place, { force: true });
  const path = await realpath(wanted.path);
  if (await isRoots(path)) {
    await symlink(path, place);
    return { ...wanted, path };
  }
  await copyReadable(wanted.path, place, signal);
  return await readDisk(place, { bootable: false, signal });
}

/** What an overlay is built on: what it was made from, whatever the image is now called. One made by an earlier nf.io says nothing of that. */
async function keptBase(guestDir: string, wanted: BaseDisk): Promise<BaseDisk> {
  for (const format of diskFormats)
    if (isThere(baseFile(guestDir, format))) return { path: await realpath(baseFile(guestDir, format)), format };
  return wanted;
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
