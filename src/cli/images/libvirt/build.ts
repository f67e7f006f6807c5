import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { isAbsence, NfioError } from '../../../errors/index.ts';
import { cpioArchive } from '../../../hypervisor/libvirt/cpio-archive.ts';
import { initramfsEntries } from './initramfs.ts';
import { run, unpackPackages } from './packages.ts';

/** How much an instance may write. */
const diskBytes = 1024 ** 3;

/** What was built. */
export interface BuiltImage {
  /** Of its kernel, as `uname -r` prints it. */
  readonly release: string;
  readonly bytes: number;
}

/**
 * Builds the image that firewall, nat, router, host and shaper run on as virtual machines: a directory with Debian's kernel for clouds, an
 * initramfs with busybox, nftables, iproute2 and the guest agent, and an empty disk. One that is there is replaced when the new one is complete.
 *
 * @throws UnsupportedError on other processors than x86-64, MissingToolError without apt-get, NotFoundError when a package cannot be had.
 */
export async function buildVnfImage(directory: string, signal: AbortSignal): Promise<BuiltImage> {
  if (process.arch !== 'x64')
    throw new NfioError('UnsupportedError', { message: `images are built for x86-64 only, not for ${process.arch}` });
  await mkdir(dirname(directory), { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'nfio-image-'));
  const building = `${directory}.building`;
  try {
    const root = await unpackPackages(work, signal);
    const release = await kernelRelease(root);
    await rm(building, { recursive: true, force: true });
    await mkdir(building, { mode: 0o755 });
    await copyFile(join(root, `boot/vmlinuz-${release}`), join(building, 'kernel'));
    await writeFile(join(building, 'initrd'), await compressed(cpioArchive(await initramfsEntries(root, release, signal))));
    await makeDisk(join(work, 'disk'), join(building, 'disk.qcow2'), signal);
    await writeFile(join(building, 'image.json'), `${JSON.stringify({ agent: true, kernel: release })}\n`);
    await rm(directory, { recursive: true, force: true });
    await rename(building, directory);
    return { release, bytes: await sizeOf(directory) };
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(building, { recursive: true, force: true });
  }
}

/** The image in a directory, undefined when there is none. */
export async function describeVnfImage(directory: string): Promise<BuiltImage | undefined> {
  const text = await readFile(join(directory, 'image.json'), 'utf8').catch((error: unknown) => {
    if (isAbsence(error)) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const { kernel } = JSON.parse(text) as { readonly kernel: string };
  return { release: kernel, bytes: await sizeOf(directory) };
}

/** The disk that instances begin with: an empty file system, which takes no room until it is written to. */
async function makeDisk(raw: string, path: string, signal: AbortSignal): Promise<void> {
  await writeFile(raw, '');
  await truncate(raw, diskBytes);
  await run(['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=1', raw], signal);
  await run(['qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'qcow2', raw, path], signal);
}

async function kernelRelease(root: string): Promise<string> {
  const release = (await readdir(join(root, 'lib/modules'))).at(-1);
  if (release === undefined) throw new NfioError('NotFoundError', { message: 'the package of the kernel holds no modules' });
  return release;
}

/** zstd, which the kernel unpacks fastest. */
async function compressed(archive: Buffer): Promise<Buffer> {
  return await promisify(zstdCompress)(archive, {
    params: { [constants.ZSTD_c_compressionLevel]: 15, [constants.ZSTD_c_checksumFlag]: 0 },
  });
}

async function sizeOf(directory: string): Promise<number> {
  const sizes = await Promise.all((await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
