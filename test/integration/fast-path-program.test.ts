import { equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { whyNoFastPath } from '../../src/network/index.ts';
import { encodeRequest, listWords } from '../../src/network/resident-program.ts';
import { needs } from '../support/needs.ts';

const program = join(import.meta.dirname, '../../src/network/steering/fast-path.pl');

test('where the kernel takes no programs of BPF everything is left to nft', async (context) => {
  if (!(await needs('setpriv', context))) return;
  const requests = [
    encodeRequest(['1', '/proc/self/ns/net', 'withdraw', ...listWords([]), ...listWords([])]),
    encodeRequest(['2', '/proc/self/ns/net', 'counts', ...listWords([])]),
  ];
  const argv = ['--bounding-set=-all', '--inh-caps=-all', 'perl', program, 'nfio-fast-path abcdefgh'];
  const said = execFileSync('setpriv', argv, { input: Buffer.concat(requests), encoding: 'utf8' });
  equal(said, '1 none bpf: Operation not permitted\n2 none bpf: Operation not permitted\n');
});

test('this machine has a fast path', async () => {
  equal(await whyNoFastPath(AbortSignal.timeout(10_000)), undefined);
});
