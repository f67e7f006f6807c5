import type { ConfigLanguage, Middlebox, ModuleAction, ModuleFile, ModuleFileAttributes, ModuleHooks } from '../domain/middlebox.ts';
import { NfioError } from '../errors/index.ts';
import { firstLine } from './first-line.ts';
import { withTimeout } from './time-limit.ts';

/** Longest that a call into a module may take: hooks answer file operations, the others may run programs in a guest. Milliseconds. */
const hookTimeoutMs = 10_000;
export const programTimeoutMs = 60_000;

type Call = <T>(what: string, run: () => T | Promise<T>, timeoutMs?: number) => Promise<T>;

/**
 * The same middlebox, with every function of it guarded: what it throws, unless a NfioError, becomes a BrokenModuleError that
 * names the module and the function and keeps the cause; one that does not settle in time rejects likewise.
 */
export function guardMiddlebox(type: string, middlebox: Middlebox): Middlebox {
  const call = guardedCall(type);
  const { configuration, files, actions, hooks } = middlebox;
  return {
    ...middlebox,
    ...(configuration && { configuration: { ...configuration, language: guardLanguage(call, configuration.language) } }),
    ...(files && { files: files.map((file) => guardFile(call, file)) }),
    ...(actions && { actions: guardActions(call, actions) }),
    ...(hooks && { hooks: guardHooks(call, hooks) }),
  };
}

function guardedCall(type: string): Call {
  return async (what, run, timeoutMs = hookTimeoutMs) => {
    try {
      return await withTimeout(Promise.resolve(run()), timeoutMs, () => broken(type, what, `did not finish within ${timeoutMs / 1000} s`));
    } catch (cause) {
      throw cause instanceof NfioError ? cause : failed(type, what, cause);
    }
  };
}

function guardLanguage(call: Call, language: ConfigLanguage): ConfigLanguage {
  const { drops, restore, service } = language;
  return {
    name: language.name,
    ...(service !== undefined && { service }),
    check: (candidate, guest) => call('the configuration check', () => language.check(candidate, guest), programTimeoutMs),
    apply: (candidate, guest) => call('applying the configuration', () => language.apply(candidate, guest), programTimeoutMs),
    ...(restore && {
      restore: (candidate, guest) => call('restoring the configuration', () => restore.call(language, candidate, guest), programTimeoutMs),
    }),
    ...(drops && { drops: (guest) => call('counting drops', () => drops.call(language, guest)) }),
  };
}

function guardFile(call: Call, file: ModuleFile): ModuleFile {
  const { read, write } = file;
  return {
    path: file.path,
    mode: file.mode,
    ...(read && { read: (instance) => call(`reading ${file.path}`, async () => expectText(await read.call(file, instance))) }),
    ...(write && { write: (instance, text) => call(`writing ${file.path}`, () => write.call(file, instance, text)) }),
  };
}

function guardActions(call: Call, actions: Readonly<Record<string, ModuleAction>>): Readonly<Record<string, ModuleAction>> {
  const guarded = Object.entries(actions).map(([name, action]) => {
    const run: ModuleAction['run'] = (instance) => call(`the action ${name}`, () => action.run(instance), programTimeoutMs);
    return [name, { summary: action.summary, run }] as const;
  });
  return Object.fromEntries(guarded);
}

function guardHooks(call: Call, hooks: ModuleHooks): ModuleHooks {
  const { mkdir, getattr, read, write } = hooks;
  return {
    ...(mkdir && { mkdir: (instance, caller) => call('the hook mkdir', () => mkdir.call(hooks, instance, caller)) }),
    ...(getattr && {
      getattr: (instance, path) => call('the hook getattr', async () => expectAttributes(await getattr.call(hooks, instance, path))),
    }),
    ...(read && { read: (instance, path) => call('the hook read', async () => expectData(await read.call(hooks, instance, path))) }),
    ...(write && { write: (instance, path, data) => call('the hook write', () => write.call(hooks, instance, path, data)) }),
  };
}

function expectAttributes(value: unknown): ModuleFileAttributes | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) throw new TypeError(`it returned ${value}, not an object`);
  const { mode, size } = value as { readonly mode?: unknown; readonly size?: unknown };
  return { ...(mode !== undefined && { mode: expectNumber(mode) }), ...(size !== undefined && { size: expectNumber(size) }) };
}

function expectNumber(value: unknown): number {
  if (!(Number.isSafeInteger(value) && (value as number) >= 0)) throw new TypeError(`${value} is no mode or size`);
  return value as number;
}

function expectText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`it returned ${typeof value}, not a string`);
  return value;
}

function expectData(value: unknown): string | Uint8Array {
  if (typeof value !== 'string' && !(value instanceof Uint8Array))
    throw new TypeError(`it returned ${typeof value}, no string or Uint8Array`);
  return value;
}

function failed(type: string, what: string, cause: unknown): NfioError {
  return broken(type, what, `failed: ${firstLine(cause)}`, cause);
}

function broken(type: string, what: string, why: string, cause?: unknown): NfioError {
  return new NfioError('BrokenModuleError', { message: `module ${type}: ${what} ${why}`, cause });
}
