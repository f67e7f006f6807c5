import { join } from 'node:path';
import { limitedProgram } from '../../domain/limited-program.ts';
import type { GuestSpec, MachineOptions } from '../../domain/ports/hypervisor.ts';
import { isThere, NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';
import { openReadable, refused, statReadable } from './readable-file.ts';

/** Formats of disk images. */
export const diskFormats = ['qcow2', 'raw'] as const;

/** A disk that instances begin with; it is never written. */
export interface BaseDisk {
  readonly path: string;
  readonly format: (typeof diskFormats)[number];
}

/** A kernel that a virtual machine boots. */
export interface KernelImage {
  readonly kind: 'kernel';
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly cmdline: string;
  readonly disk: BaseDisk | undefined;
  /** True when it says of itself that a guest agent runs in it. */
  readonly agent: boolean;
  readonly options: MachineOptions;
}

/** What a virtual machine starts from. */
export type VmImage =
  | KernelImage
  | { readonly kind: 'disk'; readonly disk: BaseDisk; readonly agent: false; readonly options: MachineOptions };

/** The console is the first serial port; interfaces are named by nf.io. */
const kernelArguments = 'console=ttyS0 net.ifnames=0 panic=-1 quiet';

/** Names that the disk of a directory image may have. */
const diskNames = ['disk.qcow2', 'disk.raw', 'disk.img'] as const;

/** What is read of image.json, bytes. */
const mostImageJson = 64 * 1024;

/** Where a Linux kernel for x86 has `HdrS` (Documentation/arch/x86/boot.rst). */
const kernelMagicAt = 0x202;
const bootSignatureAt = 510;

/**
 * What vm.image and boot.conf mean, checked as far as it can be before anything is made.
 *
 * @throws VNFImageNameIsEmptyError, VNFDeployError with ENOENT for what is missing, EACCES for what QEMU could not read, EINVAL for what is no image.
 */
export async function resolveImage(spec: Pick<GuestSpec, 'image' | 'boot' | 'type'>, signal: AbortSignal): Promise<VmImage> {
  const options = spec.boot.machine ?? {};
  if (spec.image === '' && options.kernel === undefined) {
    throw noImage(spec.type);
  }
  if (spec.image === '') return await kernelImage({ disk: undefined, agent: false, directory: undefined }, options);
  const found = await statReadable(spec.image);
  if (found.isDirectory()) return await directoryImage(spec.image, options, signal);
  const disk = await readDisk(spec.image, { bootable: options.kernel === undefined && options.firmware !== 'efi', signal });
  return options.kernel === undefined
    ? { kind: 'disk', disk, agent: false, options }
    : kernelImage({ disk, agent: false, directory: undefined }, options);
}

/**
 * What vm.image means on another machine, whose files cannot be looked at from here: a directory with kernel and initrd, without a disk.
 * What such a guest writes is gone when it is started again.
 *
 * @throws VNFImageNameIsEmptyError
 */
export function remoteImage(spec: Pick<GuestSpec, 'image' | 'boot' | 'type'>): VmImage {
  const options = spec.boot.machine ?? {};
  if (spec.image === '' && options.kernel === undefined) throw noImage(spec.type);
  const own = (name: string): string | undefined => (spec.image === '' ? undefined : join(spec.image, name));
  const kernel = options.kernel ?? own('kernel') ?? '';
  const initrd = options.initrd ?? own('initrd');
  return { kind: 'kernel', kernel, initrd, cmdline: argumentsOf(options), disk: undefined, agent: true, options };
}

async function directoryImage(directory: string, options: MachineOptions, signal: AbortSignal): Promise<VmImage> {
  const names = await Promise.all(diskNames.map(async (name) => (isThere(join(directory, name)) ? name : undefined)));
  const name = names.find((each) => each !== undefined);
  const disk = name === undefined ? undefined : await readDisk(join(directory, name), { bootable: false, signal });
  return await kernelImage({ disk, agent: await hasAgent(directory), directory }, options);
}

async function kernelImage(
  parts: { readonly disk: BaseDisk | undefined; readonly agent: boolean; readonly directory: string | undefined },
  options: MachineOptions,
): Promise<VmImage> {
  const { directory, disk, agent } = parts;
  const kernel = options.kernel ?? join(directory ?? '/', 'kernel');
  const own = directory !== undefined && isThere(join(directory, 'initrd')) ? join(directory, 'initrd') : undefined;
  const initrd = options.initrd ?? own;
  await checkKernel(kernel);
  if (initrd !== undefined) await statReadable(initrd);
  return { kind: 'kernel', kernel, initrd, cmdline: argumentsOf(options), disk, agent, options };
}

function argumentsOf({ cmdline = '' }: MachineOptions): string {
  return `${kernelArguments} ${cmdline}`.trim();
}

function noImage(type: string): NfioError {
  return new NfioError('VNFImageNameIsEmptyError', {
    message: `${type} has no image for libvirt. Run, in the VNF: echo PATH > machine/vm.image (a disk image, or a directory with kernel and initrd)`,
  });
}

async function checkKernel(path: string): Promise<void> {
  if ((await readAt(path, kernelMagicAt, 4)).toString('latin1') !== 'HdrS')
    throw refused('EINVAL', `${path} is not a Linux kernel for x86`);
}

/** Whether image.json in a directory image says that there is a guest agent. */
async function hasAgent(directory: string): Promise<boolean> {
  const path = join(directory, 'image.json');
  if (!isThere(path)) return false;
  const text = (await readAt(path, 0, mostImageJson)).toString();
  try {
    return (JSON.parse(text) as { readonly agent?: unknown }).agent === true;
  } catch (cause) {
    throw refused('EINVAL', `${path} is not JSON`, cause);
  }
}

/** What qemu-img tells of an image. */
interface DiskInfo {
  readonly format?: string;
  readonly 'backing-filename'?: string;
  readonly 'format-specific'?: { readonly data?: { readonly 'data-file'?: string; readonly corrupt?: boolean } };
}

/**
 * The format of a disk image. A qcow2 that names other files is refused: whoever made it would have this machine read them.
 *
 * @param how.bootable whether there is no kernel beside it, so that it must begin as a disk that boots.
 */
export async function readDisk(path: string, how: { readonly bootable: boolean; readonly signal: AbortSignal }): Promise<BaseDisk> {
  if ((await readAt(path, 0, 4)).toString('latin1') !== 'QFI\xfb') {
    const signature = await readAt(path, bootSignatureAt, 2);
    if (how.bootable && signature.toString('hex') !== '55aa')
      throw refused('EINVAL', `${path} is no disk that boots: neither qcow2, nor raw with a boot sector`);
    return { path, format: 'raw' };
  }
  const argv = limitedProgram(['qemu-img', 'info', '--force-share', '--output=json', '-f', 'qcow2', '--', path]);
  const result = await runProgram(argv, { signal: how.signal });
  if (result.exitCode !== 0) throw refused('EINVAL', `${path} is a damaged image: ${result.stderr.trim().split('\n')[0]}`);
  const info = JSON.parse(result.stdout) as DiskInfo;
  const data = info['format-specific']?.data;
  if (data?.corrupt === true) throw refused('EINVAL', `${path} is a damaged image: qemu-img check -r all ${path}`);
  if (info['backing-filename'] !== undefined || data?.['data-file'] !== undefined) {
    throw refused('EINVAL', `${path} is built on another file: make it one with qemu-img convert -O qcow2`);
  }
  return { path, format: 'qcow2' };
}

async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  const file = await openReadable(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
