import type { StateStore } from '../domain/ports/state.ts';
import { rootSerial } from '../tree/build-views.ts';
import type { RootView } from '../tree/views.ts';

/**
 * The root directory, which every mount has. `mountedMs` is the same for all servers of a mount: a file that is made anew has another generation, and the kernel lets
 * go of what it knew of it (EIO for who has it open).
 */
export function rootView(store: StateStore, mountedMs: number): RootView {
  return {
    kind: 'root',
    serial: rootSerial,
    parent: rootSerial,
    name: '',
    createdMs: mountedMs,
    changedMs: mountedMs,
    uid: 0,
    gid: 0,
    mode: 0o755,
    ownership: {},
    texts: {},
    eventsPath: store.eventsPath,
  };
}
