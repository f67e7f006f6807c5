import type {
  CounterSource,
  Counters,
  ExecuteOptions,
  ExecuteResult,
  GuestCommand,
  GuestLimits,
  GuestListener,
  GuestRef,
  GuestRoot,
  GuestSpec,
  GuestStatus,
  HostListener,
  HostReport,
  HostSpec,
  HostStatus,
  HypervisorDriver,
  HypervisorName,
} from './ports/hypervisor.ts';
import type { NetworkSetup, PortSpec } from './ports/network.ts';

/**
 * What every hypervisor driver extends, as in the original prototype: the contract of {@link HypervisorDriver} as a class, so that
 * `instanceof` tells a driver and a method forgotten is a type error. Of itself it does nothing.
 */
export abstract class HypervisorBase implements HypervisorDriver {
  abstract readonly name: HypervisorName;

  /** @throws TypeError for HypervisorBase itself: a driver extends it. */
  constructor() {
    if (new.target === HypervisorBase) throw new TypeError('HypervisorBase is not a hypervisor: make a class that extends it');
  }

  abstract getId(ref: GuestRef, signal: AbortSignal): Promise<string>;
  abstract getIp(ref: GuestRef, signal: AbortSignal): Promise<string>;
  abstract deploy(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  abstract start(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  abstract openPorts(ref: GuestRef, signal: AbortSignal): Promise<void>;
  abstract hasClosedPorts(ref: GuestRef): boolean;
  abstract restart(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  abstract stop(ref: GuestRef, signal: AbortSignal): Promise<void>;
  abstract pause(ref: GuestRef, signal: AbortSignal): Promise<void>;
  abstract unpause(ref: GuestRef, signal: AbortSignal): Promise<void>;
  abstract destroy(ref: GuestRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void>;
  abstract executeInGuest(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult>;
  abstract guestStatus(ref: GuestRef): GuestStatus;

  abstract recover(refs: readonly GuestRef[], signal: AbortSignal, mayEnd?: (id: string) => boolean): Promise<void>;
  abstract executeInNetwork(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult>;
  abstract counterSource(ref: GuestRef): CounterSource | undefined;
  abstract counters(ref: GuestRef, signal: AbortSignal): Promise<Counters>;
  abstract setLimits(ref: GuestRef, limits: GuestLimits, signal: AbortSignal): Promise<void>;
  abstract setPort(
    ref: GuestRef,
    change: { readonly before: PortSpec | undefined; readonly after: PortSpec | undefined },
    signal: AbortSignal,
  ): Promise<void>;
  abstract changeNetwork(
    ref: GuestRef,
    change: { readonly ports: readonly PortSpec[]; readonly setup: NetworkSetup },
    signal: AbortSignal,
  ): Promise<void>;
  abstract logPath(ref: GuestRef): string;
  abstract root(ref: GuestRef): GuestRoot | undefined;
  /** Drivers whose guests' roots are not always visible show them. */
  openRoot(_ref: GuestRef, _signal: AbortSignal): Promise<void> {
    return Promise.resolve();
  }

  /** Drivers whose hypervisor describes guests say how. */
  description(_ref: GuestRef): string | undefined {
    return undefined;
  }

  /** Drivers that know what makes them slow say so. */
  whySlow(_ref: GuestRef): string | undefined {
    return undefined;
  }

  abstract onChange(listener: GuestListener): void;
  abstract setHosts(hosts: readonly HostSpec[]): void;
  abstract hostStatus(address: string): HostStatus;
  abstract hostReport(address: string, signal: AbortSignal): Promise<HostReport>;
  abstract onHostChange(listener: HostListener): void;
  abstract [Symbol.asyncDispose](): Promise<void>;
}
