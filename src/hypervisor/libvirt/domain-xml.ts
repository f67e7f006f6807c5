import type { PortSpec } from '../../domain/ports/network.ts';
import { machineTapName } from '../../network/index.ts';
import type { BaseDisk, VmImage } from './image.ts';
import { type XmlElement, xml, xmlText } from './xml.ts';

/** A virtual machine as libvirt is asked to make it. */
export interface VmSpec {
  readonly name: string;
  readonly uuid: string;
  /** For people: `firewall/fw-a`. */
  readonly title: string;
  readonly labels: { readonly mount: string; readonly id: string; readonly type: string; readonly name: string };
  /** Whether the processor runs the guest itself (KVM), or QEMU emulates one. */
  readonly accelerated: boolean;
  readonly image: VmImage;
  /** Disk of this instance; undefined: the image has none. */
  readonly disk: InstanceDisk | undefined;
  /** Image of a CD with what cloud-init reads. */
  readonly seed: string | undefined;
  readonly vcpus: number;
  /** Share of one processor that each virtual one gets, 0 to 1. */
  readonly share: number | undefined;
  readonly memoryBytes: number;
  readonly ports: readonly PortSpec[];
  readonly console: string;
}

/** Copy-on-write disk of an instance, and the image that it is built on. */
export interface InstanceDisk {
  readonly overlay: string;
  readonly base: BaseDisk;
}

/** Period that a processor's quota refers to, microseconds. */
export const quotaPeriodUsec = 100_000;

const namespace = 'https://nf.io/xmlns/guest/1';
/** Ports beyond this many cannot be added while the guest runs: each needs a slot of its own. */
const spareSlots = 8;

/** The domain's description (https://libvirt.org/formatdomain.html). */
export function domainXml(vm: VmSpec): string {
  return xmlText(
    xml('domain', { type: vm.accelerated ? 'kvm' : 'qemu' }, [
      xml('name', {}, vm.name),
      xml('uuid', {}, vm.uuid),
      xml('title', {}, vm.title),
      xml('metadata', {}, [xml('nfio:guest', { 'xmlns:nfio': namespace, ...vm.labels })]),
      xml('memory', { unit: 'KiB' }, Math.ceil(vm.memoryBytes / 1024)),
      xml('vcpu', {}, vm.vcpus),
      vm.share === undefined ? undefined : quota(vm.share),
      operatingSystem(vm.image),
      xml('features', {}, [xml('acpi'), xml('apic')]),
      processor(vm),
      xml('clock', { offset: 'utc' }),
      xml('on_poweroff', {}, 'destroy'),
      xml('on_reboot', {}, vm.image.kind === 'kernel' ? 'destroy' : 'restart'),
      xml('on_crash', {}, 'destroy'),
      xml('devices', {}, [
        ...fixedDevices(vm),
        ...vm.ports.map((port) => interfaceElement(port, { mountId: vm.labels.mount, vcpus: vm.vcpus })),
      ]),
    ]),
  );
}

interface PortOwner {
  readonly mountId: string;
  readonly vcpus: number;
}

/** The description of one port, to add it to a running guest, change it or remove it. */
export function interfaceXml(port: PortSpec, vm: PortOwner): string {
  return xmlText(interfaceElement(port, vm));
}

/** The tap device is nf.io's (managed no): libvirt opens it, and nf.io takes it to where the segments are. */
function interfaceElement(port: PortSpec, { mountId, vcpus }: PortOwner): XmlElement {
  return xml('interface', { type: 'ethernet' }, [
    xml('mac', { address: port.mac }),
    xml('target', { dev: machineTapName(mountId, port.id), managed: 'no' }),
    xml('model', { type: 'virtio' }),
    vcpus > 1 ? xml('driver', { queues: queues(vcpus) }) : undefined,
    port.mtu === undefined ? undefined : xml('mtu', { size: port.mtu }),
    xml('link', { state: port.up ? 'up' : 'down' }),
  ]);
}

/** A queue for each virtual processor: packets of different flows are worked on at the same time. At most eight, the most a tap is good for. */
export function queues(vcpus: number): number {
  return Math.min(vcpus, 8);
}

function quota(share: number): XmlElement {
  return xml('cputune', {}, [xml('period', {}, quotaPeriodUsec), xml('quota', {}, quotaUsec(share))]);
}

/** A processor's quota, microseconds; the kernel takes no less than 1 ms. */
export function quotaUsec(share: number): number {
  return Math.max(1000, Math.round(share * quotaPeriodUsec));
}

function operatingSystem(image: VmImage): XmlElement {
  const { machine, firmware } = image.options;
  const type = xml('type', { arch: 'x86_64', machine: machine ?? 'q35' }, 'hvm');
  const efi = firmware === 'efi' ? { firmware: 'efi' } : {};
  if (image.kind === 'disk') return xml('os', efi, [type, xml('boot', { dev: 'hd' })]);
  return xml('os', efi, [
    type,
    xml('kernel', {}, image.kernel),
    image.initrd === undefined ? undefined : xml('initrd', {}, image.initrd),
    xml('cmdline', {}, image.cmdline),
  ]);
}

function processor({ image, accelerated }: VmSpec): XmlElement {
  const wanted = image.options.cpu ?? (accelerated ? 'host-passthrough' : 'maximum');
  if (['host-passthrough', 'host-model', 'maximum'].includes(wanted)) return xml('cpu', { mode: wanted });
  return xml('cpu', { mode: 'custom', match: 'exact' }, [xml('model', { fallback: 'forbid' }, wanted)]);
}

function fixedDevices(vm: VmSpec): (XmlElement | undefined)[] {
  return [
    ...(vm.image.options.machine?.startsWith('pc') ? [] : slots(vm.ports.length + spareSlots)),
    xml('controller', { type: 'usb', model: 'none' }),
    vm.disk === undefined ? undefined : disk(vm.disk),
    vm.seed === undefined ? undefined : cd(vm.seed),
    xml('serial', { type: 'file' }, [xml('source', { path: vm.console, append: 'on' }), xml('target', { type: 'isa-serial', port: 0 })]),
    xml('channel', { type: 'unix' }, [xml('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' })]),
    xml('memballoon', { model: 'virtio' }),
    xml('rng', { model: 'virtio' }, [xml('backend', { model: 'random' }, '/dev/urandom')]),
  ];
}

/** On PCI Express each device that can be added needs a port of its own. */
function slots(count: number): XmlElement[] {
  const port = xml('controller', { type: 'pci', model: 'pcie-root-port' });
  return [xml('controller', { type: 'pci', index: 0, model: 'pcie-root' }), ...Array.from({ length: count }, () => port)];
}

/**
 * What it is built on is said here, and that this is built on nothing, so that nobody follows what the files say of themselves. It keeps its owner: libvirt would give it to QEMU's user.
 */
function disk({ overlay, base }: InstanceDisk): XmlElement {
  return xml('disk', { type: 'file', device: 'disk' }, [
    xml('driver', { name: 'qemu', type: 'qcow2', discard: 'unmap' }),
    xml('source', { file: overlay }),
    xml('backingStore', { type: 'file' }, [
      xml('format', { type: base.format }),
      xml('source', { file: base.path }, [xml('seclabel', { model: 'dac', relabel: 'no' })]),
      xml('backingStore'),
    ]),
    xml('target', { dev: 'vda', bus: 'virtio' }),
  ]);
}

function cd(path: string): XmlElement {
  return xml('disk', { type: 'file', device: 'cdrom' }, [
    xml('driver', { name: 'qemu', type: 'raw' }),
    xml('source', { file: path }),
    xml('target', { dev: 'sda', bus: 'sata' }),
    xml('readonly'),
  ]);
}
