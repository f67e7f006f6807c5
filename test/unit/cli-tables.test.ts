import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMountInfo } from '../../src/cli/mount-table.ts';
import { columns } from '../../src/cli/terminal.ts';
import { parseStates, summarizeStates } from '../../src/cli/vnf-states.ts';

describe('tables', () => {
  test('mountinfo: mountpoint, type and source, with spaces and optional fields', () => {
    const text = [
      '22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw',
      '99 28 0:55 / /mnt/my\\040lab rw,nosuid - fuse.nfio nfio rw,user_id=0',
      '',
    ].join('\n');
    assert.deepEqual(parseMountInfo(text), [
      { mountpoint: '/sys', fsType: 'sysfs', source: 'sysfs' },
      { mountpoint: '/mnt/my lab', fsType: 'fuse.nfio', source: 'nfio' },
    ]);
  });

  test('statuses of VNFs, whatever the mountpoint is called', () => {
    const text = '/mnt/a:b/nf-types/firewall/fw-a/status:running\n/mnt/a:b/nf-types/host/h.1/status:undeployed\nnoise\n';
    const states = parseStates(text);
    assert.deepEqual(states, [
      { vnf: 'firewall/fw-a', status: 'running' },
      { vnf: 'host/h.1', status: 'undeployed' },
    ]);
    assert.equal(summarizeStates([...states, { vnf: 'host/h2', status: 'running' }]), '2 running, 1 undeployed');
    assert.equal(summarizeStates([]), 'none');
  });

  test('columns line up and have no trailing blanks', () => {
    assert.equal(
      columns([
        ['a', 'bb', ''],
        ['ccc', 'd', 'e'],
      ]),
      'a    bb\nccc  d   e\n',
    );
  });
});
