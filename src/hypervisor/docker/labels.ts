import type { GuestSpec } from '../../domain/ports/hypervisor.ts';

/** Labels of containers that nf.io made. */
export const label = {
  mount: 'io.nfio.mount',
  id: 'io.nfio.id',
  type: 'io.nfio.type',
  name: 'io.nfio.name',
} as const;

/** What a guest's container says of itself: enough to find it again when no record does. */
export function guestLabels(mountId: string, spec: Pick<GuestSpec, 'id' | 'type' | 'name'>): Record<string, string> {
  return { [label.mount]: mountId, [label.id]: spec.id, [label.type]: spec.type, [label.name]: spec.name };
}

/** The name that `docker ps` shows: mount, user, type and instance, all of them in the characters that Docker allows. */
export function containerName(mountId: string, spec: Pick<GuestSpec, 'owner' | 'type' | 'name'>): string {
  return `nfio-${mountId}-${spec.owner}-${spec.type}-${spec.name}`;
}

/** Filters of list and event calls: what this mount made. */
export function mountFilter(mountId: string, more: Readonly<Record<string, readonly string[]>> = {}): string {
  return JSON.stringify({ label: [`${label.mount}=${mountId}`], ...more });
}
