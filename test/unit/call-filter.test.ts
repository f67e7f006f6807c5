import { equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { guestCapabilities } from '../../src/hypervisor/netns/capabilities.ts';
import { callNumbers, type Processor } from '../../src/hypervisor/netns/seccomp/call-numbers.ts';
import { compile } from '../../src/hypervisor/netns/seccomp/compile.ts';
import { policyFor } from '../../src/hypervisor/netns/seccomp/policy.ts';

/* The filter of guests' system calls, run as the kernel runs classic BPF (linux/filter.h). */

const architectures = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const [allowed, killed] = [0x7fff0000, 0x80000000];
const refusedWith = (errno: number): number => 0x50000 + errno;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];

/** What the kernel would do with a call: struct seccomp_data of linux/seccomp.h, and the answer. */
function answerOf(program: Uint8Array, architecture: number, number: number, args: readonly bigint[]): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, architecture, true);
  for (const [index, value] of args.entries()) data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  const code = new DataView(program.buffer);
  for (let at = 0, accumulator = 0; at < program.length; at += 8) {
    const value = code.getUint32(at + 4, true);
    const jump = (holds: boolean): void => {
      at += 8 * code.getUint8(at + (holds ? 2 : 3));
    };
    const operation = code.getUint16(at, true);
    if (operation === 0x06) return value;
    if (operation === 0x20) accumulator = data.getUint32(value, true);
    else if (operation === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (operation === 0x15) jump(accumulator === value);
    else if (operation === 0x25) jump(accumulator > value);
    else if (operation === 0x35) jump(accumulator >= value);
    else throw new Error(`the kernel knows no instruction ${operation}`);
  }
  throw new Error('the program ends without an answer');
}

const processors: readonly Processor[] = ['x64', 'arm64'];
for (const processor of processors) {
  describe(`the filter of system calls on ${processor}`, () => {
    const numbers = callNumbers(processor);
    const programs = new Map<string, Uint8Array>();
    const answer = (name: string | number, args: readonly bigint[] = [], capabilities: readonly string[] = []): number => {
      const key = capabilities.join();
      const program = programs.get(key) ?? compile(policyFor(guestCapabilities(capabilities), processor));
      programs.set(key, program);
      const number = typeof name === 'number' ? name : numbers.get(name);
      ok(number !== undefined, `no call ${name}`);
      return answerOf(program, architectures[processor], number, args);
    };

    it('allows what programs do, and no call of its numbers is without an answer', () => {
      for (const name of 'read openat execve mmap socketpair sendmsg setuid capset chroot ptrace mknodat seccomp wait4 statx'.split(' ')) {
        equal(answer(name), allowed, name);
      }
      for (const name of numbers.keys()) answer(name);
    });

    it('refuses what changes the machine, and what is not divided by namespaces', () => {
      const names =
        'mount umount2 pivot_root unshare setns keyctl add_key request_key bpf perf_event_open kexec_load kexec_file_load init_module finit_module delete_module ' +
        'open_by_handle_at open_tree fsopen swapon swapoff reboot settimeofday clock_settime sethostname syslog quotactl acct userfaultfd io_uring_setup move_pages';
      for (const name of names.split(' ')) equal(answer(name), refusedWith(EPERM), name);
    });

    it('says of numbers beyond those known, x32 among them, that there is no such call', () => {
      for (const number of [Math.max(...numbers.values()) + 1, 0x40000000, 0x40000000 + 257, 0xffffffff]) {
        equal(answer(number), refusedWith(ENOSYS), String(number));
      }
    });

    it('ends a program of another processor, whose numbers mean something else', () => {
      const program = compile(policyFor(guestCapabilities([]), processor));
      for (const other of [0x40000003, 0x40000028, architectures[processor === 'x64' ? 'arm64' : 'x64']]) {
        equal(answerOf(program, other, 0, []), killed);
      }
    });

    it('lets processes and threads be made, but no namespaces', () => {
      equal(answer('clone', [0x01200011n]), allowed);
      equal(answer('clone', [0x003d0f00n]), allowed);
      for (const bit of [25, 26, 27, 28, 29, 30]) {
        equal(answer('clone', [(1n << BigInt(bit)) | 17n]), refusedWith(EPERM), `1 << ${bit}`);
      }
      equal(answer('clone', [0x00020011n]), refusedWith(EPERM));
      equal(answer('clone3'), refusedWith(ENOSYS));
    });

    it('looks at the half of an argument that the kernel looks at', () => {
      equal(answer('ioctl', [0n, 0x5401n]), allowed);
      for (const request of [0x5412n, 0x1_0000_5412n, 0x541cn]) equal(answer('ioctl', [0n, request]), refusedWith(EPERM));
      equal(answer('ioctl', [0x5412n, 0x5401n]), allowed);
      for (const family of [40n, 38n, (1n << 40n) | 40n]) equal(answer('socket', [family]), refusedWith(EAFNOSUPPORT));
      for (const family of [1n, 2n, 10n, 16n, 17n, 44n]) equal(answer('socket', [family]), allowed);
    });

    it('lets a program be as on Linux or 32 bits wide, but not with weaker memory', () => {
      for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn]) equal(answer('personality', [persona]), allowed);
      for (const persona of [0x40000n, 0x400000n, 1n]) equal(answer('personality', [persona]), refusedWith(EPERM));
    });

    it('allows with a capability what it is for', () => {
      const pairs = [
        ['sys_admin', 'mount unshare setns clone3 bpf'],
        ['sys_time', 'settimeofday clock_settime'],
        ['sys_module', 'init_module finit_module'],
        ['sys_ptrace', 'kcmp pidfd_getfd'],
        ['bpf', 'bpf'],
        ['perfmon', 'perf_event_open'],
        ['dac_read_search', 'open_by_handle_at'],
        ['syslog', 'syslog'],
        ['sys_boot', 'reboot'],
      ] as const;
      for (const [capability, calls] of pairs) {
        for (const call of calls.split(' ')) equal(answer(call, [], [capability]), allowed, `${capability} ${call}`);
        equal(answer('keyctl', [], [capability]), refusedWith(EPERM));
      }
      equal(answer('clone', [0x10000011n], ['sys_admin']), allowed);
    });
  });
}

describe('numbers of system calls', () => {
  it('are those of the kernel’s headers', () => {
    const [x64, arm64] = [callNumbers('x64'), callNumbers('arm64')];
    const known = {
      openat: [257, 56],
      clone: [56, 220],
      bpf: [321, 280],
      keyctl: [250, 219],
      statx: [332, 291],
      kexec_file_load: [320, 294],
    };
    for (const [name, [one, other]] of Object.entries(known)) {
      equal(x64.get(name), one, name);
      equal(arm64.get(name), other, name);
    }
    const newest = { clone3: 435, futex_waitv: 449, cachestat: 451, statmount: 457, mseal: 462, removexattrat: 466, file_setattr: 469 };
    for (const [name, number] of Object.entries(newest)) {
      equal(x64.get(name), number, name);
      equal(arm64.get(name), number, name);
    }
  });
});
