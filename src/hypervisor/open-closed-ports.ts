import type { PortSpec } from '../domain/ports/network.ts';
import type { Fabric } from '../network/index.ts';

/** A guest that remembers which of its ports are closed. */
export interface GatedGuest {
  readonly ports: readonly PortSpec[];
  /** Ids of those that are closed, though they are wanted up. */
  readonly closed: readonly string[];
  remember(part: { readonly closed: readonly string[] }): void;
}

/** Lets frames pass the ports of a guest that are closed. */
export async function openClosedPorts(guest: GatedGuest, fabric: Fabric): Promise<void> {
  const { closed, ports } = guest;
  if (closed.length === 0) return;
  await fabric.open(ports.filter(({ id }) => closed.includes(id)));
  guest.remember({ closed: [] });
}
