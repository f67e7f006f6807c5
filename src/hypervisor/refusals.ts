import type { GuestRef } from '../domain/ports/hypervisor.ts';
import { NfioError } from '../errors/index.ts';

/*
 * Why a guest is not made to do something: whichever hypervisor it has, users read the same.
 */

/** There is no such guest. */
export function notDeployed({ type, name }: GuestRef): NfioError {
  return new NfioError('VNFNotFoundError', { message: `${name} is not deployed. ${run(type, name, 'activate')}` });
}

/** @param word its state, in the hypervisor's word. */
export function notRunning({ type, name }: GuestRef, word: string): NfioError {
  return new NfioError('VNFNotRunningError', { message: `${name} is not running (${word}). ${run(type, name, 'start')}` });
}

/** It is to do something, but stands still. */
export function paused({ type, name }: GuestRef): NfioError {
  return new NfioError('VNFNotRunningError', { message: `${name} is paused. ${run(type, name, 'unpause')}` });
}

/** It is to be started. */
export function runsAlready({ name }: GuestRef): NfioError {
  return new NfioError('VNFStartError', { errno: 'EBUSY', message: `${name} runs already` });
}

/** It is to be destroyed, and not by force. */
export function stillRuns({ type, name }: GuestRef): NfioError {
  return new NfioError('VNFDestroyError', { errno: 'EBUSY', message: `${name} still runs. ${run(type, name, 'stop')}` });
}

/** It is to run a command that has no words. */
export function noCommand(): NfioError {
  return new NfioError('VNFCommandExecutionError', { errno: 'EINVAL', message: 'the command is empty. Write one, such as: ip addr' });
}

function run(type: string, name: string, verb: string): string {
  return `Run: echo ${verb} > nf-types/${type}/${name}/action`;
}
