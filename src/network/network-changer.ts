import { join } from 'node:path';
import { errnoName, NfioError } from '../errors/index.ts';
import { type NetworkRequest, requestWords } from './link-request.ts';
import { listWords, ResidentProgram } from './resident-program.ts';

/** Beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'network-changer.pl');

/** What to do in the network namespaces of a guest and of the fabric that its ports end in. */
export interface GuestChange {
  /** Where the namespaces are: files to open. A change in the fabric alone has no guest. */
  readonly fabric: string;
  readonly guest?: string;
  /** Files below /proc/sys, of the guest, and their values; "-" before one: it need not exist. Those that exist are set first, all again last. */
  readonly settings: readonly (readonly [path: string, value: string])[];
  readonly requests: readonly NetworkRequest[];
}

/** Changes the networks of guests by system calls of a process that stays: a change costs no program. */
export class NetworkChanger extends ResidentProgram {
  /** @param mountId For people who look at the list of processes. */
  constructor(mountId: string) {
    super(program, { title: `nfio-network ${mountId}` });
  }

  /**
   * Makes one change after another, up to the first that fails.
   *
   * @throws NetworkError with what the kernel said; what was done before stays.
   */
  change({ fabric, guest, settings, requests }: GuestChange): Promise<void> {
    return new Promise((resolve, reject) => {
      const words = [fabric, guest ?? '', ...listWords(settings.flat()), ...requestWords(requests)];
      const number = this.request(words, ({ word, rest }) => {
        this.forget(number);
        if (word === 'done') resolve();
        else reject(failure(rest));
      });
    });
  }
}

function failure(said: string): NfioError {
  const [, number = '0', what = 'network', why = said] = /^(\d+) (.*?): (.*)$/.exec(said) ?? [];
  const errno = errnoName(Number(number)) ?? 'EIO';
  return new NfioError('NetworkError', { errno, message: `${what}: ${why}` });
}
