import type { Engine } from './engine/index.ts';

/** What `GET /info` tells of an engine and its machine, as far as it is read. */
export interface EngineInfo {
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly Containers: number;
  readonly ContainersRunning: number;
  /** Such as `name=seccomp,profile=default`. */
  readonly SecurityOptions: readonly string[] | null;
}

/** Asks an engine about itself. */
export async function engineInfo(engine: Engine, signal: AbortSignal): Promise<EngineInfo> {
  return await engine.json<EngineInfo>({ method: 'GET', path: '/info', timeoutMs: 5000 }, signal);
}

/** True for an engine whose containers have a user namespace (dockerd --userns-remap, or without root). */
export async function hasOwnUsers(engine: Engine, signal: AbortSignal): Promise<boolean> {
  const { SecurityOptions } = await engineInfo(engine, signal);
  return (SecurityOptions ?? []).some((option) => /^name=(userns|rootless)(,|$)/.test(option));
}
