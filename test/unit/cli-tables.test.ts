import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { columns } from '../../src/cli/terminal.ts';
import { parseStates, summarizeStates } from '../../src/cli/vnf-states.ts';

describe('tables', () => {
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
