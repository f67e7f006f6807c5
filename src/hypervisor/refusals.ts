import type { GuestRef } from '../domain/ports/hypervisor.ts';
import { NfioError } from '../errors/index.ts';

/*
 * Why a guest is not made to do something: whichever hypervisor it has, users read the same.
 */

/** There is no such guest. */
export function notDeployed({ name }: GuestRef): NfioError {
  return new NfioError('VNFNotFoundError', { message: `${name} is not deployed` });
}

/** @param word its state, in the hypervisor's word. */
export function notRunning({ name }: GuestRef, word: string): NfioError {
  return new NfioError('VNFNotRunningError', { message: `${name} is not running (${word})` });
}

/** It is to do something, but stands still. */
export function paused({ name }: GuestRef): NfioError {
  return new NfioError('VNFNotRunningError', { message: `${name} is paused: write unpause to its action first` });
}

/** It is to be started. */
export function runsAlready({ name }: GuestRef): NfioError {
  return new NfioError('VNFStartError', { errno: 'EBUSY', message: `${name} runs already` });
}

/** It is to be destroyed, and not by force. */
export function stillRuns({ name }: GuestRef): NfioError {
  return new NfioError('VNFDestroyError', { errno: 'EBUSY', message: `${name} still runs: stop it first` });
}

/** It is to run a command that has no words. */
export function noCommand(): NfioError {
  return new NfioError('VNFCommandExecutionError', { errno: 'EINVAL', message: 'there is no command to run' });
}
