import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DOMParser } from '@xmldom/xmldom';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import { cloudSeed } from '../../src/hypervisor/libvirt/cloud-seed.ts';
import { guestStatusOf } from '../../src/hypervisor/libvirt/domain-state.ts';
import { domainXml, type VmSpec } from '../../src/hypervisor/libvirt/domain-xml.ts';
import { domainName, domainUuid, formatUuid, guestIdOf } from '../../src/hypervisor/libvirt/labels.ts';
import { checkFits, vmSize } from '../../src/hypervisor/libvirt/limits.ts';
import { parseUri } from '../../src/hypervisor/libvirt/rpc/uri.ts';
import { plainBoot } from '../support/netns-world.ts';

const port: PortSpec = {
  id: 'q00001',
  name: 'lan',
  segment: undefined,
  addresses: ['10.1.0.2/24', 'fd00::2/64'],
  gateway: '10.1.0.1',
  mac: '02:00:00:00:00:01',
  mtu: 1400,
  up: false,
  rateBps: undefined,
  delayUsec: undefined,
  lossPercent: undefined,
};

const vm: VmSpec = {
  name: 'nfio-mount123-00000a',
  uuid: formatUuid(domainUuid('mount123', '00000a')),
  title: 'firewall/fw-a',
  labels: { mount: 'mount123', id: '00000a', type: 'firewall', name: 'fw-a' },
  accelerated: false,
  image: { kind: 'kernel', kernel: '/i/kernel', initrd: '/i/initrd', cmdline: 'quiet', disk: undefined, agent: true, options: {} },
  disk: undefined,
  seed: undefined,
  vcpus: 1,
  share: undefined,
  memoryBytes: 256 * 1024 * 1024 + 1,
  ports: [port],
  console: '/g/log',
};

/** The text of the first element of that name, or one of its attributes. */
function read(text: string, name: string, attribute?: string): string | null | undefined {
  const element = new DOMParser().parseFromString(text, 'text/xml').getElementsByTagName(name)[0];
  return attribute === undefined ? element?.textContent : element?.getAttribute(attribute);
}

describe('the description of a domain', () => {
  test('says what was asked for, in the units of libvirt', () => {
    const text = domainXml(vm);
    const found = ['name', 'title', 'memory', 'vcpu', 'kernel', 'cmdline', 'on_reboot'].map((name) => read(text, name));
    assert.deepEqual(found, ['nfio-mount123-00000a', 'firewall/fw-a', '262145', '1', '/i/kernel', 'quiet', 'destroy']);
    assert.deepEqual(
      [read(text, 'domain', 'type'), read(text, 'cpu', 'mode'), read(text, 'nfio:guest', 'name')],
      ['qemu', 'maximum', 'fw-a'],
    );
    assert.deepEqual(
      [read(text, 'target', 'type'), read(text, 'mtu', 'size'), read(text, 'link', 'state')],
      ['isa-serial', '1400', 'down'],
    );
    assert.match(text, /<interface type="ethernet"><mac address="02:00:00:00:00:01"\/><target dev="pmount123q00001" managed="no"\/>/);
    assert.doesNotMatch(text, /cputune|queues|<disk/);
  });

  test('a share of processors is a quota for each, and several have a queue each', () => {
    const text = domainXml({ ...vm, accelerated: true, vcpus: 2, share: 0.75 });
    assert.deepEqual([read(text, 'quota'), read(text, 'driver', 'queues'), read(text, 'cpu', 'mode')], ['75000', '2', 'host-passthrough']);
  });

  test('boot.conf chooses machine, processor and firmware; disks boot from themselves and may reboot', () => {
    const options = { machine: 'pc', cpu: 'EPYC', firmware: 'efi' } as const;
    const image = { kind: 'disk', disk: { path: '/d', format: 'raw' }, agent: false, options } as const;
    const text = domainXml({
      ...vm,
      image,
      disk: { overlay: '/g/overlay.qcow2', base: { path: '/i/base.img', format: 'raw' } },
      seed: '/g/seed.iso',
    });
    assert.deepEqual([read(text, 'type', 'machine'), read(text, 'os', 'firmware'), read(text, 'boot', 'dev')], ['pc', 'efi', 'hd']);
    assert.deepEqual([read(text, 'on_reboot'), read(text, 'cpu', 'mode')], ['restart', 'custom']);
    assert.doesNotMatch(text, /pcie-root-port|\/d"/);
    assert.match(
      text,
      /<backingStore type="file"><format type="raw"\/><source file="\/i\/base.img"><seclabel model="dac" relabel="no"\/><\/source><backingStore\/><\/backingStore>/,
    );
    assert.match(text, /<source file="\/g\/overlay.qcow2"\/>.*device="cdrom".*<source file="\/g\/seed.iso"\/>/);
  });

  test('nothing in a value becomes markup', () => {
    const evil = `"/><kernel>/etc/shadow</kernel>&amp;]]>'<!--`;
    const image = { ...vm.image, kind: 'kernel', kernel: evil, cmdline: evil } as VmSpec['image'];
    const text = domainXml({ ...vm, title: evil, labels: { ...vm.labels, name: evil }, image });
    assert.deepEqual(
      [read(text, 'kernel'), read(text, 'cmdline'), read(text, 'title'), read(text, 'nfio:guest', 'name')],
      [evil, evil, evil, evil],
    );
    assert.equal(text.match(/<kernel>/g)?.length, 1);
  });
});

test('names and UUIDs of domains follow from mount and guest', () => {
  assert.equal(guestIdOf(domainName('mount123', '00000a'), 'mount123'), '00000a');
  assert.equal(guestIdOf('nfio-mount124-00000a', 'mount123'), undefined);
  assert.equal(guestIdOf('other', 'mount123'), undefined);
  assert.match(formatUuid(domainUuid('mount123', '00000a')), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(domainUuid('mount123', '00000a'), domainUuid('mount123', '00000b'));
});

test('states are told in libvirt’s words', () => {
  assert.deepEqual(guestStatusOf({ state: 1, reason: 1 }, true, undefined), { state: 'running', word: 'running' });
  assert.deepEqual(guestStatusOf({ state: 3, reason: 1 }, true, undefined), { state: 'paused', word: 'paused' });
  assert.deepEqual(guestStatusOf({ state: 5, reason: 0 }, false, undefined), { state: 'created', word: 'shut off' });
  assert.deepEqual(guestStatusOf({ state: 5, reason: 1 }, true, undefined), { state: 'exited', word: 'shut off', exitCode: 0 });
  assert.deepEqual(guestStatusOf({ state: 5, reason: 1 }, true, 7), { state: 'exited', word: 'shut off', exitCode: 7 });
  assert.deepEqual(guestStatusOf({ state: 5, reason: 2 }, true, undefined), { state: 'exited', word: 'shut off', exitCode: 137 });
  assert.deepEqual(guestStatusOf({ state: 6, reason: 1 }, true, undefined), { state: 'exited', word: 'crashed', exitCode: 137 });
  assert.equal(guestStatusOf({ state: 99, reason: 0 }, true, undefined).state, 'unknown');
});

test('sizes: whole processors with a share each, and no more memory than there is', () => {
  assert.deepEqual(vmSize({ vcpu: undefined, memoryBytes: undefined }), { vcpus: 1, share: undefined, memoryBytes: 256 * 1024 * 1024 });
  assert.deepEqual(vmSize({ vcpu: 1.5, memoryBytes: 5e8 }), { vcpus: 2, share: 0.75, memoryBytes: 5e8 });
  for (const limits of [
    { vcpu: 0, memoryBytes: undefined },
    { vcpu: undefined, memoryBytes: 0 },
  ]) {
    assert.throws(() => vmSize(limits), { code: 'InvalidValueError' });
  }
  const size = vmSize({ vcpu: 1, memoryBytes: 2 ** 40 });
  assert.throws(() => checkFits(size, { memoryBytes: 2 ** 34, cpus: 2 }), {
    code: 'VNFStartError',
    errnoName: 'ENOMEM',
    message: /16384 MiB/,
  });
});

test('addresses of daemons', () => {
  const parts = (address: string): readonly unknown[] => {
    const { transport, name, host, port, user } = parseUri(address);
    return [transport, name, host, port, user];
  };
  assert.deepEqual(parts(''), ['unix', 'qemu:///system', '', undefined, '']);
  assert.deepEqual(parts('10.0.0.7'), ['ssh', 'qemu:///system', '10.0.0.7', undefined, '']);
  assert.deepEqual(parts('fd00::7'), ['ssh', 'qemu:///system', 'fd00::7', undefined, '']);
  assert.deepEqual(parts('qemu+ssh://root@host-7:2222/system'), ['ssh', 'qemu:///system', 'host-7', 2222, 'root']);
  assert.deepEqual(parts('qemu+tls://host-7/system'), ['tls', 'qemu:///system', 'host-7', undefined, '']);
  assert.deepEqual(parts('qemu://host-7/system'), ['tls', 'qemu:///system', 'host-7', undefined, '']);
  assert.equal(parseUri('qemu+unix:///system?socket=/a/b').socket, '/a/b');
  assert.equal(parseUri('qemu+tls://h/system?emulate=yes').emulated, true);
  for (const wrong of [
    'xen:///system',
    'qemu+tcp://h/system',
    'qemu+unix://h/system',
    'qemu+ssh:///system',
    'qemu+ssh://h/system;reboot',
    'a b',
    '-oProxyCommand=x',
    'qemu+ssh://h/$(x)',
  ]) {
    assert.throws(() => parseUri(wrong), { code: 'InvalidValueError', errnoName: 'EINVAL' }, wrong);
  }
});

test('a seed names interfaces by their MAC address', () => {
  const spec = { id: '00000a', name: 'vm', boot: { ...plainBoot, dns: ['10.1.0.53'] }, ports: [port] };
  const seed = cloudSeed(spec as unknown as Parameters<typeof cloudSeed>[0], undefined);
  assert.deepEqual(JSON.parse(seed['meta-data']), { 'instance-id': 'nfio-00000a', 'local-hostname': 'vm' });
  assert.deepEqual(JSON.parse(seed['network-config']), {
    version: 2,
    ethernets: {
      lan: {
        match: { macaddress: '02:00:00:00:00:01' },
        'set-name': 'lan',
        addresses: ['10.1.0.2/24', 'fd00::2/64'],
        mtu: 1400,
        routes: [{ to: '0.0.0.0/0', via: '10.1.0.1' }],
        nameservers: { addresses: ['10.1.0.53'] },
      },
    },
  });
  assert.match(seed['user-data'], /^#cloud-config\n/);
});
