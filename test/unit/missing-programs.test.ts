import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingPrograms } from '../../src/cli/missing-programs.ts';

test('programs that are not there are told, with one command that gets them all', async () => {
  const shell = { program: 'sh', package: 'dash' };
  assert.equal(await missingPrograms([shell]), undefined);
  const absent = ['nfio-no-such-a', 'nfio-no-such-b'].map((program) => ({ program, package: 'no-such' }));
  assert.deepEqual(await missingPrograms([absent[0] ?? shell, shell, ...absent.slice(1)]), {
    names: ['nfio-no-such-a', 'nfio-no-such-b'],
    remedy: 'apt-get install no-such',
  });
});
