import type { GuestLimits } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';

/** What a guest gets whose owner set no vm.memory. Bytes. */
const defaultMemoryBytes = 256 * 1024 * 1024;

/** Processors and memory of a virtual machine. */
export interface VmSize {
  /** Whole processors it sees. */
  readonly vcpus: number;
  /** Share of a processor that each of them gets; undefined: all of it. */
  readonly share: number | undefined;
  readonly memoryBytes: number;
}

/**
 * The size that limits mean. A fraction of processors is so many whole ones, each with a share.
 *
 * @throws InvalidValueError (EINVAL) for nothing at all.
 */
export function vmSize({ vcpu = 1, memoryBytes = defaultMemoryBytes }: GuestLimits): VmSize {
  if (!(vcpu > 0))
    throw new NfioError('InvalidValueError', {
      message: `vm.vcpu ${vcpu}: a guest needs some processor time. Write more to machine/vm.vcpu`,
    });
  if (!(memoryBytes > 0))
    throw new NfioError('InvalidValueError', {
      message: `vm.memory ${memoryBytes}: a guest needs some memory. Write more to machine/vm.memory`,
    });
  const vcpus = Math.ceil(vcpu);
  return { vcpus, share: vcpu === vcpus ? undefined : vcpu / vcpus, memoryBytes };
}

/** Checks that a machine can hold a guest. @throws VNFStartError (ENOMEM) that says how much there is. */
export function checkFits(size: VmSize, machine: { readonly memoryBytes: number; readonly cpus: number }): void {
  if (size.memoryBytes > machine.memoryBytes) {
    const [wanted, there] = [size.memoryBytes, machine.memoryBytes].map((bytes) => Math.floor(bytes / 1024 / 1024));
    throw new NfioError('VNFStartError', {
      errno: 'ENOMEM',
      message: `vm.memory is ${wanted} MiB, and the machine has ${there} MiB: write less to machine/vm.memory`,
    });
  }
  if (size.vcpus > machine.cpus * 16) {
    throw new NfioError('VNFStartError', {
      errno: 'EINVAL',
      message: `vm.vcpu is ${size.vcpus}, and the machine has ${machine.cpus} processors: write less to machine/vm.vcpu`,
    });
  }
}
