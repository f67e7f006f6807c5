import { setTimeout as delay } from 'node:timers/promises';
import type { FuseConnection } from './connection.ts';
import { mountpointsOf } from './mount-info.ts';
import { mountUsers } from './mount-users.ts';

/** How often is looked, milliseconds. */
const lookMs = 1000;

/** Looking for users takes at most one part in so many of the time. */
const restFactor = 5;

/**
 * Waits until a file system is unmounted in this mount namespace and nothing uses it any more, and aborts its connection. Without that it lives as
 * long as any namespace that has a copy of the mount: a container, a virtual machine, `unshare --mount` (docs/adr/0013-copies-of-the-mount.md).
 * Who has something of it open, here or there, is served on. Resolves when the connection has ended.
 */
export async function cutWhenAbandoned(connection: FuseConnection): Promise<void> {
  while (mountpointsOf(connection.device).length > 0) await pause(lookMs);
  // A call that was under way at the unmount has been answered by then, or it waits for its answer.
  let restMs = lookMs;
  for (;;) {
    await pause(restMs);
    if (connection.waiting() === undefined) return;
    const since = performance.now();
    if (await isUnused(connection)) return connection.abort();
    restMs = Math.max(lookMs, restFactor * (performance.now() - since));
  }
}

async function isUnused(connection: FuseConnection): Promise<boolean> {
  return (await mountUsers(connection.device)).length === 0 && connection.waiting() === 0;
}

/** Keeps no process alive. */
function pause(milliseconds: number): Promise<void> {
  return delay(milliseconds, undefined, { ref: false });
}
