import type { StateStore } from '../domain/ports/state.ts';
import { rootSerial } from '../tree/build-views.ts';
import type { RootView } from '../tree/views.ts';

/** The root directory, which every mount has. */
export function rootView(store: StateStore): RootView {
  const now = Date.now();
  return {
    kind: 'root',
    serial: rootSerial,
    parent: rootSerial,
    name: '',
    createdMs: now,
    changedMs: now,
    uid: 0,
    gid: 0,
    mode: 0o755,
    ownership: {},
    texts: {},
    eventsPath: store.eventsPath,
  };
}
