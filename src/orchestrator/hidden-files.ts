import { NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

/**
 * Special files of an undeployed VNF can be removed, and made again: `rm -r`, and the tools that restore by removing first (tar, git), expect
 * that. Nothing else changes, and a new mount or a deployment shows them all again.
 */
export class HiddenFiles {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** unlink or rmdir of a special file. @throws BusyError on a deployed VNF. */
  hide(serial: number, path: string): void {
    const vnf = this.#model.vnf(serial);
    if (vnf.deployed) {
      throw new NfioError('BusyError', { message: `${path} belongs to a deployed VNF: echo destroy > action, then rmdir the VNF` });
    }
    this.#model.runtime(serial).hidden.add(path);
    this.#model.publishVnf(serial);
  }

  /** create or mkdir of a special file that was removed. */
  show(serial: number, path: string): void {
    if (this.#model.runtime(serial).hidden.delete(path)) this.#model.publishVnf(serial);
  }
}
