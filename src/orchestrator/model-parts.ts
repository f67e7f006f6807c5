import type { ModelListener } from '../domain/observation.ts';
import type { HypervisorDriver, HypervisorName } from '../domain/ports/hypervisor.ts';
import type { Logger } from '../domain/ports/logger.ts';
import type { MiddleboxSource } from '../domain/ports/middlebox-source.ts';
import type { NetworkDriver } from '../domain/ports/network.ts';
import type { StateStore } from '../domain/ports/state.ts';
import type { EventLog } from './event-log.ts';
import type { VerbNotes } from './verb-notes.ts';

/** What the use cases work with. */
export interface ModelParts {
  readonly store: StateStore;
  /** The mount's own hypervisor. */
  readonly hypervisor: HypervisorName;
  /** Absolute path: the text of a link may begin with it. */
  readonly mountpoint: string;
  /** When the mount was made, milliseconds since the epoch: the same for all servers of it. */
  readonly mountedMs: number;
  readonly drivers: Readonly<Record<HypervisorName, HypervisorDriver>>;
  readonly network: NetworkDriver;
  readonly middleboxes: MiddleboxSource;
  /** The number of a user of this machine, by name; undefined: there is none. */
  userNumber(name: string): Promise<number | undefined>;
  readonly events: EventLog;
  readonly verbNotes: VerbNotes;
  readonly logger: Logger;
  readonly listener: ModelListener;
  /** Resolves when readers see all that the listener was told, and no read that began before is under way. */
  shown(): Promise<void>;
}
