import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opens } from '../../src/hypervisor/libvirt/kvm-access.ts';

test('who may open /dev/kvm', () => {
  const qemu = { uid: 64_055, gids: [114, 64_055] };
  for (const [device, can] of [
    [{ uid: 0, gid: 114, mode: 0o660 }, true],
    [{ uid: 0, gid: 0, mode: 0o666 }, true],
    [{ uid: 0, gid: 0, mode: 0o600 }, false],
    [{ uid: 0, gid: 0, mode: 0o660 }, false],
    [{ uid: 0, gid: 114, mode: 0o640 }, false],
    [{ uid: 0, gid: 114, mode: 0o606 }, false],
    [{ uid: 64_055, gid: 0, mode: 0o600 }, true],
  ] as const)
    assert.equal(opens(qemu, device), can, JSON.stringify(device));
  assert.ok(opens({ uid: 0, gids: [0] }, { uid: 0, gid: 0, mode: 0 }));
});
