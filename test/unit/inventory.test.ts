import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortRecord, VnfRecord } from '../../src/domain/records.ts';
import { Inventory } from '../../src/orchestrator/inventory.ts';

const owner = { uid: 0, gid: 0, mode: 0o755, createdMs: 0, ownership: {} };

function port(serial: number, network: string): PortRecord {
  return { ...owner, serial, name: `p${serial}`, settings: { network } } as PortRecord;
}

function vnf(serial: number, name: string, ports: readonly PortRecord[]): VnfRecord {
  return {
    ...owner,
    kind: 'vnf',
    serial,
    type: 'host',
    name,
    settings: {},
    ports,
    deployed: false,
    inconsistent: false,
  } as unknown as VnfRecord;
}

const portsOn = (inventory: Inventory, network: string): number[] => inventory.portsOn(network).map((placed) => placed.port.serial);

describe('records in memory', () => {
  it('finds a changed VNF by its new name, and its ports on their new networks, and nothing by the old ones', () => {
    const inventory = new Inventory();
    inventory.put(vnf(1, 'a', [port(10, 'lan'), port(11, 'lan'), port(12, '')]));
    inventory.put(vnf(1, 'b', [port(10, 'lan'), port(11, 'wan')]));
    assert.equal(inventory.vnfNamed('host', 'a'), undefined);
    assert.equal(inventory.vnfNamed('host', 'b')?.serial, 1);
    assert.deepEqual([portsOn(inventory, 'lan'), portsOn(inventory, 'wan')], [[10], [11]]);
    assert.equal(inventory.port(12), undefined);
    inventory.remove(vnf(1, 'b', []));
    assert.deepEqual([portsOn(inventory, 'lan'), portsOn(inventory, 'wan')], [[], []]);
    assert.equal(inventory.port(10), undefined);
  });

  it('keeps the order in which VNFs were made when one of them changes', () => {
    const inventory = new Inventory();
    for (const serial of [1, 2, 3]) inventory.put(vnf(serial, `v${serial}`, [port(10 + serial, 'lan')]));
    inventory.put(vnf(1, 'v1', [port(11, 'lan')]));
    assert.deepEqual(
      [...inventory.vnfs()].map(({ serial }) => serial),
      [1, 2, 3],
    );
    assert.deepEqual(portsOn(inventory, 'lan'), [11, 12, 13]);
  });
});
