import type { ServerOrder, TakeOver } from './messages.ts';

/**
 * Resolves when the supervisor has this process serve the mount. Until then the process does nothing to the mount, its root and its guests, for
 * another server has them; and it ends with its supervisor, since it holds the mount's descriptor and the root's lock.
 */
export function standBy(): Promise<TakeOver> {
  const end = (): void => process.exit(0);
  process.once('disconnect', end);
  return new Promise((resolve) => {
    const take = (order: ServerOrder): void => {
      if (order.kind !== 'takeOver') return;
      process.off('message', take);
      process.off('disconnect', end);
      resolve(order);
    };
    process.on('message', take);
  });
}
