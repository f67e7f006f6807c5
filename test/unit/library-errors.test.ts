import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, NfioError } from '../../src/index.ts';
import { accessFailure, creationFailure, notRemoved, operationFailure } from '../../src/library/vnf-failure.ts';

/** The errors of the original prototype and their numbers, as its errors.py had them. */
const originals: Readonly<Record<number, ErrorCode>> = {
  701: 'HypervisorConnectionError',
  702: 'VNFNotFoundError',
  703: 'VNFCommandExecutionError',
  704: 'VNFCreateError',
  705: 'VNFDeployError',
  706: 'VNFDestroyError',
  707: 'VNFStartError',
  708: 'VNFRestartError',
  709: 'VNFStopError',
  710: 'VNFPauseError',
  711: 'VNFUnpauseError',
  712: 'VNFDeployErrorWithInconsistentState',
  713: 'VNFImageNameIsEmptyError',
  714: 'VNFHostNameIsEmptyError',
  715: 'VNFNameIsEmptyError',
  716: 'VNFNotRunningError',
};

const vnf = { kind: 'VNF', path: '/nfio/nf-types/firewall/fw-a', label: 'firewall/fw-a', type: 'firewall', name: 'fw-a' } as const;
const start = { word: 'start', code: 'VNFStartError' } as const;

function failed(code: string): Error {
  return Object.assign(new Error(`${code}: it failed`), { code });
}

test('errors keep the numbers of the original prototype', () => {
  for (const [number, code] of Object.entries(originals)) assert.equal(new NfioError(code).originalNumber, Number(number), code);
});

describe('a failed write to a file of a VNF', () => {
  test('is the error of the operation, with the errno that says why and the sentence of the error file', () => {
    const cause = failed('ENOSPC');
    const error = operationFailure({ place: vnf, operation: start, said: 'start: the disk is full' }, cause);
    assert.deepEqual([error.code, error.errnoName, error.message], ['VNFStartError', 'ENOSPC', 'firewall/fw-a: start: the disk is full']);
    assert.equal(error.cause, cause);
  });

  test('has the code that an errno means whatever was done', () => {
    const codes = { ENODEV: 716, ENXIO: 702, ENOTRECOVERABLE: 712, EHOSTUNREACH: 701, ECONNREFUSED: 701 };
    for (const [errno, number] of Object.entries(codes)) {
      const error = operationFailure({ place: vnf, operation: start, said: '' }, failed(errno));
      assert.deepEqual([error.originalNumber, error.errnoName], [number, errno]);
    }
  });

  test('does not take the sentence of another operation for its own', () => {
    const error = operationFailure({ place: vnf, operation: start, said: 'stop: it does not end' }, failed('EIO'));
    assert.equal(error.message, 'The guest could not be started');
  });

  test('may be tried again when the VNF is busy', () => {
    const error = operationFailure({ place: vnf, operation: start, said: 'start: of before' }, failed('EBUSY'));
    assert.deepEqual([error.code, error.retryable], ['BusyError', true]);
    assert.match(error.message, /^start: another operation on firewall\/fw-a/);
  });
});

test('a file that cannot be opened or read: no such VNF, not yours, nobody to ask', () => {
  const codes = { ENOENT: 'VNFNotFoundError', ENOTDIR: 'VNFNotFoundError', EACCES: 'NotPermittedError', EPERM: 'NotPermittedError' };
  for (const [errno, code] of Object.entries(codes)) {
    const error = accessFailure(vnf, failed(errno));
    assert.deepEqual([error.code, error.errnoName], [code, errno]);
    assert.match(error.message, /\/nfio\/nf-types\/firewall\/fw-a/);
  }
  const others = { EHOSTUNREACH: [701, 'EHOSTUNREACH'], ENOTCONN: [701, 'ECONNREFUSED'], EIO: [703, 'EIO'] };
  for (const [errno, expected] of Object.entries(others)) {
    const error = accessFailure(vnf, failed(errno));
    assert.deepEqual([error.originalNumber, error.errnoName], expected);
  }
});

test('a VNF that cannot be made', () => {
  const codes = { ENOSYS: 'UnknownTypeError', EINVAL: 'InvalidNameError', EEXIST: 'VNFCreateError', ENOSPC: 'VNFCreateError' };
  for (const [errno, code] of Object.entries(codes)) {
    const error = creationFailure(vnf, failed(errno));
    assert.deepEqual([error.code, error.errnoName], [code, errno]);
  }
});

test('what cannot be removed is told from what is not there', () => {
  const busy = notRemoved(vnf, failed('EBUSY'));
  assert.deepEqual([busy.code, busy.errnoName], ['BusyError', 'EBUSY']);
  assert.match(busy.message, /First: echo destroy > \/nfio\/nf-types\/firewall\/fw-a\/action$/);
  assert.equal(notRemoved(vnf, failed('ENOENT')).code, 'VNFNotFoundError');
  const chain = { kind: 'service chain', path: '/nfio/chns/web', label: 'chns/web' } as const;
  assert.match(notRemoved(chain, failed('EBUSY')).message, /First: echo stop > /);
  assert.equal(notRemoved(chain, failed('ENOENT')).code, 'NotFoundError');
});
