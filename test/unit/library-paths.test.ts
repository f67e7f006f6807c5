import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeGuestSpec, NetnsDriver, type NfioError, VnfsOperations } from '../../src/index.ts';

const ops = new VnfsOperations('/nfio/');

function code(expected: string): (error: unknown) => boolean {
  return (error) => (error as NfioError).code === expected;
}

describe('paths', () => {
  test('are counted from the mountpoint, with or without a slash, or absolute below it', () => {
    assert.equal(ops.vnfsRoot, '/nfio');
    for (const path of [
      'nf-types/firewall/fw-a',
      '/nf-types/firewall/fw-a',
      '/nfio/nf-types/firewall/fw-a',
      'nf-types//firewall/./fw-a/',
    ]) {
      assert.equal(ops.vnfsIsNfInstance(path), true, path);
      assert.equal(ops.vnfsGetNfType(path), 'firewall', path);
      assert.equal(ops.vnfsGetFileName(path), 'fw-a', path);
      assert.equal(ops.vnfsGetOpcode(path), VnfsOperations.OP_NF, path);
    }
  });

  test('of no instance', () => {
    for (const path of [
      '',
      '/',
      'nf-types',
      'nf-types/firewall',
      'nf-types/firewall/fw-a/action',
      'networks/lan/subnet',
      '/nfiox/nf-types/a/b',
    ]) {
      assert.equal(ops.vnfsIsNfInstance(path), false, path);
    }
    for (const path of ['', 'networks/nf-types/lan', 'events']) {
      assert.equal(ops.vnfsGetOpcode(path), VnfsOperations.OP_UNDEFINED, path);
      assert.equal(ops.vnfsGetNfType(path), '', path);
    }
    assert.equal(ops.vnfsGetOpcode('nf-types'), VnfsOperations.OP_NF);
    assert.equal(ops.vnfsGetOpcode('chns/web/fw'), VnfsOperations.OP_CHAIN);
    assert.equal(ops.vnfsGetNfType('nf-types'), '');
  });

  test('that lead out of the mount, or to something else, are refused before any file is touched', async () => {
    assert.throws(() => ops.vnfsGetOpcode('../etc/passwd'), code('InvalidNameError'));
    await assert.rejects(ops.vnfsDeployNf('nf-types/firewall/../../../etc'), code('InvalidNameError'));
    await assert.rejects(ops.vnfsStopVnf('nf-types/firewall/fw-a/action'), code('InvalidNameError'));
    await assert.rejects(ops.vnfsGetStatus('networks/lan/x'), code('InvalidNameError'));
    await assert.rejects(ops.vnfsDestroyVnf('nf-types/firewall'), code('VNFNameIsEmptyError'));
  });
});

test('makeGuestSpec fills in what is not said, and refuses what cannot name a guest', () => {
  const own = { id: 'guest01', name: 'g', guestDir: '/g/guest', configDir: '/g/config' };
  const spec = makeGuestSpec({ ...own, command: ['sleep', '9'] });
  assert.deepEqual([spec.id, spec.type, spec.command, spec.ports, spec.boot.privileged], ['guest01', 'guest', ['sleep', '9'], [], false]);
  assert.throws(() => makeGuestSpec({ ...own, id: 'a/b' }), code('InvalidValueError'));
  assert.throws(() => makeGuestSpec({ ...own, name: '' }), code('VNFNameIsEmptyError'));
});

test("docs/original-api.md names the operations that are there, and none that isn't", () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'original-api.md'), 'utf8');
  const documented = new Set(page.match(/\bvnfs[A-Z]\w*/g));
  const classes = [VnfsOperations.prototype, Object.getPrototypeOf(VnfsOperations.prototype)] as const;
  const there = new Set(classes.flatMap((each) => Object.getOwnPropertyNames(each)).filter((name) => name.startsWith('vnfs')));
  assert.deepEqual([...documented].filter((name) => name !== 'vnfsOps' && name !== 'vnfsRoot').sort(), [...there].sort());
  const driver = new Set(Object.getOwnPropertyNames(NetnsDriver.prototype));
  const table = page.slice(page.indexOf('## HypervisorBase'), page.indexOf('## HypervisorFactory'));
  const operations = [...table.matchAll(/^\| `\w+\(.*?\)`[^|]*\| `(\w+)\(/gm)].map(([, name]) => name);
  assert.equal(operations.length, 11);
  for (const name of operations) assert.ok(driver.has(name ?? ''), name);
});
