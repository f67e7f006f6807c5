import type { ConfigCandidate, HookCaller, Middlebox } from '../../domain/middlebox.ts';
import type { ExecuteResult, GuestCommand } from '../../domain/ports/hypervisor.ts';
import type { Outcome } from './outcome.ts';

/** A module without its functions: which of them it has. */
export interface ModuleDescription extends Pick<Middlebox, 'summary' | 'sysctl' | 'intercepts' | 'translates' | 'run'> {
  readonly configuration:
    | {
        readonly language: string;
        readonly default: string;
        readonly countsDrops: boolean;
        readonly restores: boolean;
        readonly service: boolean;
      }
    | undefined;
  readonly files: readonly (Pick<NonNullable<Middlebox['files']>[number], 'path' | 'mode'> & {
    readonly reads: boolean;
    readonly writes: boolean;
  })[];
  readonly actions: Readonly<Record<string, string>>;
  readonly hooks: readonly HookName[];
}

export const hookNames = ['mkdir', 'getattr', 'read', 'write'] as const satisfies readonly (keyof NonNullable<Middlebox['hooks']>)[];
export type HookName = (typeof hookNames)[number];

/** Where a function is in a module: `['files', '0', 'read']`. */
export type FunctionPath = readonly string[];

/** Which of a guest's two functions a module calls; an instance has the first. */
export type GuestFunction = 'execute' | 'executeInNetwork';

/** An argument of a function; guests and instances lead back from the thread. */
export type SentArgument =
  | { readonly kind: 'data'; readonly data: ConfigCandidate | HookCaller | string | Uint8Array | undefined }
  | { readonly kind: 'guest'; readonly ports: readonly string[] }
  | { readonly kind: 'instance'; readonly type: string; readonly name: string; readonly values: Readonly<Record<string, string>> };

export type ToThread =
  | { readonly kind: 'call'; readonly call: number; readonly path: FunctionPath; readonly args: readonly SentArgument[] }
  | { readonly kind: 'abort'; readonly call: number }
  | { readonly kind: 'executed'; readonly request: number; readonly outcome: Outcome<ExecuteResult> }
  | { readonly kind: 'ping' };

export type FromThread =
  | { readonly kind: 'imported'; readonly outcome: Outcome<ModuleDescription> }
  | { readonly kind: 'returned'; readonly call: number; readonly outcome: Outcome<unknown> }
  | ExecuteRequest
  | { readonly kind: 'pong' };

/** A module runs a program in the guest that one of its functions was called for. */
export interface ExecuteRequest {
  readonly kind: 'execute';
  readonly request: number;
  readonly call: number;
  readonly where: GuestFunction;
  readonly command: GuestCommand;
}
