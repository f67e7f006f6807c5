import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { FabricRules } from '../../src/network/fabric-rules.ts';
import { Fabric, fabricPortName } from '../../src/network/index.ts';
import { Steering } from '../../src/network/steering/steering.ts';
import { whyNoNamespaces } from '../support/network-guest.ts';

/** A fabric in which, each time that it is looked what there is, one interface is gone a moment later: its guest ends. */
class LosingFabric extends Fabric {
  readonly losing: string[] = [];

  ip(...words: readonly string[]): void {
    execFileSync('ip', ['-netns', this.name, ...words]);
  }

  override async devices(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const there = await super.devices(signal);
    const next = this.losing.shift();
    if (next !== undefined) this.ip('link', 'del', next);
    return there;
  }
}

describe('steering', { skip: whyNoNamespaces() ?? false, timeout: 60_000 }, () => {
  test('goes on without interfaces that vanish, one after another, while it looks which are left', async () => {
    await using fabric = new LosingFabric(`t${randomBytes(4).toString('hex').slice(0, 7)}`);
    await using fabricRules = new FabricRules(fabric);
    await using steering = new Steering(fabric, fabricRules);
    const ids = ['one001', 'two002', 'three3', 'four04'];
    await fabric.ensure();
    try {
      for (const id of ids) fabric.ip('link', 'add', fabricPortName(id), 'type', 'veth', 'peer', 'name', `peer${id}`);
      fabric.ip('link', 'del', fabricPortName('one001'));
      fabric.losing.push(fabricPortName('two002'), fabricPortName('three3'));
      const ports = ids.map((id, index) => ({ id, mac: `02:00:00:00:00:0${index}`, addresses: [] }));
      await steering.steer({ chains: [], segments: [{ id: 'lan000', ports, uplink: '' }] }, AbortSignal.timeout(20_000));
      const argv = ['netns', 'exec', fabric.name, 'nft', 'list', 'chain', 'netdev', 'nfio_chains', 'onto_lan000'];
      const rules = execFileSync('ip', argv, { encoding: 'utf8' });
      assert.deepEqual(
        ids.map((id) => rules.includes(`"${fabricPortName(id)}"`)),
        [false, false, false, true],
        rules,
      );
    } finally {
      execFileSync('ip', ['netns', 'del', fabric.name]);
    }
  });
});
