import type { EngineDirectories } from './guest-root.ts';

/** What `GET /containers/ID/json` tells of a container, as far as it is read. */
export interface Container {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    /** Docker's own word. */
    readonly Status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
    /** In the engine's pid namespace; 0 when it does not run. */
    readonly Pid: number;
    readonly ExitCode: number;
    readonly StartedAt: string;
  };
  readonly Config: { readonly Labels: Readonly<Record<string, string>> | null };
  readonly GraphDriver?: { readonly Data?: EngineDirectories | null } | null;
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress?: string; readonly GlobalIPv6Address?: string } | null>> | null;
  };
}

/** A line of `GET /containers/json`. */
export interface ListedContainer {
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>>;
}

/** A line of `GET /events`. */
export interface EngineEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}
