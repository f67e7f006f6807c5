import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBootConf } from '../../src/domain/boot-conf.ts';
import { splitWords } from '../../src/domain/shell-words.ts';

const nothing = { command: undefined, env: {}, capabilities: [], sysctl: {}, mounts: [], privileged: false, dns: [], network: undefined };

const whole = `# a proxy
command=/usr/sbin/squid -N -f "/etc/nfio/my conf"

env.LANG=C.UTF-8
env.GREETING=hello=world
capabilities=NET_ADMIN, cap_sys_time,net_admin
sysctl.net.ipv4.ip_forward=1
mounts=/srv/cache:/var/cache,/etc/ssl:/etc/ssl:ro
dns=10.0.0.53,fd00::53
privileged=no
network=bridge
kernel=/boot/vmlinuz
cmdline=quiet panic=1
machine=q35
firmware=efi
user-data=cloud.yaml`;

const refused: Readonly<Record<string, string>> = {
  'comand=x': 'boot.conf line 1: unknown key "comand" (did you mean "command"?)',
  '\n\nzzzzzz=1':
    'boot.conf line 3: unknown key "zzzzzz": the keys are command, capabilities, mounts, dns, privileged, network, kernel, initrd, cmdline, machine, cpu, firmware, user-data, env.NAME, sysctl.NAME',
  'just words': 'boot.conf line 1: "just words" is not of the form key=value',
  'dns=10.0.0.1\ndns=10.0.0.2': 'boot.conf line 2: dns is given a second time, first on line 1',
  'command=': 'boot.conf line 1: command is empty: leave the line out to keep the default of the type',
  'command=echo "a': 'boot.conf line 1: a " is not closed',
  'capabilities=net_admim': 'boot.conf line 1: there is no capability "net_admim" (did you mean "net_admin"?)',
  'sysctl.kernel.panic=1': "boot.conf line 1: sysctl kernel.panic: only settings below net. are a guest's own, such as net.ipv4.ip_forward",
  'sysctl.net.ipv4.ip_forward=': 'boot.conf line 1: sysctl net.ipv4.ip_forward has no value',
  'env.1A=x': 'boot.conf line 1: "1A" cannot name an environment variable',
  'mounts=/a': 'boot.conf line 1: mount "/a": "" is not an absolute path without ..',
  'mounts=/a:/b/../..': 'boot.conf line 1: mount "/a:/b/../..": "/b/../.." is not an absolute path without ..',
  'mounts=/a:/b:rx': 'boot.conf line 1: mount "/a:/b:rx" is not of the form SOURCE:TARGET[:ro]',
  'mounts=/a://': 'boot.conf line 1: mount "/a://" would hide the whole of the guest',
  'dns=localhost': 'boot.conf line 1: name server "localhost" is not an IP address',
  'network=host': 'boot.conf line 1: network is "host": write the name of a network that the hypervisor has, such as bridge',
  'kernel=vmlinuz': 'boot.conf line 1: "vmlinuz" is not an absolute path',
  'firmware=uefi': 'boot.conf line 1: firmware is "uefi": write bios or efi',
  'machine=q35,accel=kvm': 'boot.conf line 1: "q35,accel=kvm" is not a name such as q35 or EPYC',
  'user-data=../secret': 'boot.conf line 1: user-data is "../secret": write the name of a file in config/',
  'privileged=maybe': 'boot.conf line 1: privileged is "maybe": write yes or no',
  'env.A=b\0c': 'boot.conf line 1: there is a NUL byte in it',
  'constructor=1':
    'boot.conf line 1: unknown key "constructor": the keys are command, capabilities, mounts, dns, privileged, network, kernel, initrd, cmdline, machine, cpu, firmware, user-data, env.NAME, sysctl.NAME',
};

describe('parseBootConf', () => {
  it('takes an empty text', () => assert.deepEqual(parseBootConf('\n# nothing\n'), nothing));

  it('takes every key', () => {
    assert.deepEqual(parseBootConf(whole), {
      command: ['/usr/sbin/squid', '-N', '-f', '/etc/nfio/my conf'],
      env: { LANG: 'C.UTF-8', GREETING: 'hello=world' },
      capabilities: ['net_admin', 'sys_time'],
      sysctl: { 'net.ipv4.ip_forward': '1' },
      mounts: [
        { source: '/srv/cache', target: '/var/cache', readOnly: false },
        { source: '/etc/ssl', target: '/etc/ssl', readOnly: true },
      ],
      privileged: false,
      dns: ['10.0.0.53', 'fd00::53'],
      network: 'bridge',
      machine: { kernel: '/boot/vmlinuz', cmdline: 'quiet panic=1', machine: 'q35', firmware: 'efi', userData: 'cloud.yaml' },
    });
  });

  it('takes CRLF line ends', () => assert.deepEqual(parseBootConf('privileged=yes\r\n').privileged, true));

  for (const [text, message] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseBootConf(text), { code: 'InvalidValueError', message });
    });
  }
});

describe('splitWords', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    '': [],
    "  a  b\t'c d' ": ['a', 'b', 'c d'],
    'a\'b\'"c"d': ['abcd'],
    '\'\' ""': ['', ''],
    '"a\\"b" "c\\d" e\\ f': ['a"b', 'c\\d', 'e f'],
    '$HOME *.c | x': ['$HOME', '*.c', '|', 'x'],
  };
  for (const [text, words] of Object.entries(cases)) {
    it(`splits ${JSON.stringify(text)}`, () => assert.deepEqual(splitWords(text), words));
  }
  it('refuses what is not closed', () => {
    assert.throws(() => splitWords("a 'b"), /' is not closed/);
    assert.throws(() => splitWords('a\\'), /nothing follows/);
  });
});
