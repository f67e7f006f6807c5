import assert from 'node:assert/strict';
import type { TestMount } from './mount.ts';

/** A firewall whose verbs are cancelled, by Ctrl-C (INT), kill -9 or timeout(1): they are taken back or finished. */
export const vnf = 'nf-types/firewall/fw';

/** Cancels a verb after so long. @returns the state when nothing is under way any more. */
export async function cancel(mount: TestMount, verb: string, how: { readonly signal: string; readonly seconds: number }): Promise<string> {
  const script = `timeout -s ${how.signal} ${how.seconds} dash -c 'echo ${verb} > ${vnf}/action'
    until [ -n "$(cat ${vnf}/action)" ]; do sleep 0.05; done; cat ${vnf}/status`;
  return (await mount.sh(script, { timeoutMs: 240_000 })).stdout.trim();
}

/** Shell text that makes it, but for its image. */
export const prepare = `mkdir networks/lan; echo 10.1.0.0/24 > networks/lan/subnet; mkdir -p ${vnf}/ports/lan
  echo lan > ${vnf}/ports/lan/network; echo 10.1.0.1/24 > ${vnf}/ports/lan/address`;

/** The interface of a guest is there, and its rules. */
export async function isWhole(mount: TestMount): Promise<void> {
  const script = `{ echo 'ip -o addr show lan' && echo 'nft list ruleset'; } > ${vnf}/command; cat ${vnf}/command`;
  const shown = await mount.run(script, { timeoutMs: 60_000 });
  assert.match(shown, /10\.1\.0\.1\/24/);
  assert.match(shown, /hook forward/);
}
