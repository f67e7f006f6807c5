import { realpath } from 'node:fs/promises';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { type Acceleration, probeAcceleration } from './acceleration.ts';
import { domainXml } from './domain-xml.ts';
import { inactive, undefineAll } from './flags.ts';
import type { Guest } from './guest.ts';
import { logFile } from './guest-files.ts';
import { remoteImage, resolveImage, type VmImage } from './image.ts';
import { formatUuid } from './labels.ts';
import { checkFits, type VmSize, vmSize } from './limits.ts';
import { isRoots } from './readable-file.ts';
import { isLibvirtError } from './rpc/libvirt-error.ts';
import { procedures } from './rpc/procedures.ts';
import { makeInstanceFiles } from './storage.ts';

/** How long removing a domain may take: it must not be cut short by who waits for it. */
const undefineTimeoutMs = 30_000;

/** What a domain was made of. */
export interface DefinedVm {
  readonly size: VmSize;
  readonly image: VmImage;
}

/**
 * Makes the domain of a guest, or makes it anew as specified, with the files it works on. It does not run.
 *
 * @throws VNFDeployError with EEXIST when somebody else's domain has its name, and what the image and its size are refused for.
 */
export async function defineVm(
  guest: Guest,
  spec: GuestSpec,
  how: { readonly mountId: string; readonly signal: AbortSignal },
): Promise<DefinedVm> {
  const { link, domain } = guest;
  const { mountId, signal } = how;
  const size = vmSize(spec.limits);
  const image = link.isLocal ? await resolveImage(spec, signal) : remoteImage(spec);
  const { memoryKiB, cpus } = await link.call(procedures.nodeGetInfo, [], signal);
  checkFits(size, { memoryBytes: memoryKiB * 1024, cpus });
  await checkNameIsFree(guest, signal);
  const files = link.isLocal ? await makeInstanceFiles(spec, image, signal) : { image, disk: undefined, seed: undefined };
  const { works } = await accelerationFor(guest, image);
  const text = domainXml({
    name: domain.name,
    uuid: formatUuid(domain.uuid),
    title: `${spec.type}/${spec.name}`,
    labels: { mount: mountId, id: spec.id, type: spec.type, name: spec.name },
    accelerated: works,
    ...files,
    ...size,
    ports: spec.ports,
    console: logFile(spec.guestDir),
  });
  await link.call(procedures.domainDefineXmlFlags, [text, 0], signal);
  guest.description = await link.call(procedures.domainGetXmlDesc, [domain, inactive], signal);
  return { size, image };
}

/** Removes the domain of a guest; one that is not there is as good as removed. */
export async function undefineVm({ link, domain }: Guest): Promise<void> {
  try {
    await link.call(procedures.domainUndefineFlags, [domain, undefineAll], AbortSignal.timeout(undefineTimeoutMs));
  } catch (error) {
    if (!isLibvirtError(error, 'NO_DOMAIN')) throw error;
  }
}

async function checkNameIsFree({ link, domain }: Guest, signal: AbortSignal): Promise<void> {
  const found = await link.call(procedures.domainLookupByName, [domain.name], signal).catch((error: unknown) => {
    if (isLibvirtError(error, 'NO_DOMAIN')) return undefined;
    throw error;
  });
  if (found === undefined || found.uuid === domain.uuid) return;
  throw new NfioError('VNFDeployError', {
    errno: 'EEXIST',
    message: `libvirt has a domain ${domain.name} that is not nf.io's. Run: virsh domrename ${domain.name} OTHER`,
  });
}

/** On another machine KVM is taken for granted, unless its address says otherwise. */
async function accelerationFor({ link }: Guest, image: VmImage): Promise<Acceleration> {
  if (link.uri.emulated) return { works: false, why: 'the address says so' };
  if (!link.isLocal) return { works: true, why: 'not tried: it is another machine' };
  // It is tried out as root: with no kernel that others could have made.
  const kernel = image.kind === 'kernel' ? await realpath(image.kernel) : undefined;
  return await probeAcceleration(kernel !== undefined && (await isRoots(kernel)) ? kernel : undefined);
}
