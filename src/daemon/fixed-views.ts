import type { StateStore } from '../domain/ports/state.ts';
import { rootSerial } from '../tree/build-views.ts';
import type { HostView, RootView } from '../tree/views.ts';
import type { MountOptions } from './options.ts';

/** Serial of this machine among the hosts; those below 16 are no user's object (state/root-directory.ts). */
const thisMachine = 1;

/** Objects that every mount has: the root directory and this machine. */
export function fixedViews(options: MountOptions, store: StateStore): [RootView, HostView] {
  const now = Date.now();
  const common = { createdMs: now, changedMs: now, uid: 0, gid: 0, mode: 0o755, ownership: {} };
  return [
    { ...common, kind: 'root', serial: rootSerial, parent: rootSerial, name: '', texts: {}, eventsPath: store.eventsPath },
    {
      ...common,
      kind: 'host',
      serial: thisMachine,
      parent: rootSerial,
      name: 'local',
      texts: { address: '127.0.0.1', hypervisor: options.hypervisor, status: 'up' },
    },
  ];
}
