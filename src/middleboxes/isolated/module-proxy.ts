import type {
  ConfigCandidate,
  ConfigLanguage,
  GuestAccess,
  HookInstance,
  Middlebox,
  ModuleAction,
  ModuleFile,
  ModuleHooks,
} from '../../domain/middlebox.ts';
import { vnfSettings } from '../../domain/settings.ts';
import type { FunctionPath, ModuleDescription, SentArgument } from './messages.ts';
import type { ModuleCall } from './running-thread.ts';

type Send = (call: ModuleCall) => Promise<unknown>;

/** A middlebox with the functions that a module has in its thread; `send` calls one of them there. What they return is not checked. */
export function proxyMiddlebox({ configuration, files, actions, hooks, ...plain }: ModuleDescription, send: Send): Middlebox {
  return {
    ...plain,
    ...(configuration && { configuration: { default: configuration.default, language: proxyLanguage(configuration, send) } }),
    files: files.map((file, index) => proxyFile(file, ['files', String(index)], send)),
    actions: Object.fromEntries(Object.entries(actions).map(([name, summary]) => [name, proxyAction(name, summary, send)])),
    hooks: proxyHooks(hooks, send),
  };
}

function proxyLanguage(description: NonNullable<ModuleDescription['configuration']>, send: Send): ConfigLanguage {
  const { language, countsDrops, restores, service } = description;
  const ofGuest = (name: string, guest: GuestAccess | undefined, ...first: readonly SentArgument[]): Promise<unknown> =>
    send({
      path: ['configuration', 'language', name],
      args: [...first, guest === undefined ? data(undefined) : { kind: 'guest', ports: guest.ports }],
      callee: guest,
    });
  return {
    name: language,
    check: (candidate, guest) => ofGuest('check', guest, data(candidate)) as Promise<void>,
    apply: (candidate, guest) => ofGuest('apply', guest, data(candidate)) as Promise<void>,
    service,
    ...(restores && {
      restore: (candidate: ConfigCandidate, guest: GuestAccess) => ofGuest('restore', guest, data(candidate)) as Promise<void>,
    }),
    ...(countsDrops && { drops: (guest: GuestAccess) => ofGuest('drops', guest) as Promise<number> }),
  };
}

function proxyFile({ path, mode, reads, writes }: ModuleDescription['files'][number], at: FunctionPath, send: Send): ModuleFile {
  return {
    path,
    mode,
    ...(reads && { read: ofInstance<string>([...at, 'read'], send) }),
    ...(writes && { write: ofInstance<void>([...at, 'write'], send) }),
  };
}

function proxyAction(name: string, summary: string, send: Send): ModuleAction {
  return { summary, run: ofInstance<void>(['actions', name, 'run'], send) };
}

function proxyHooks(names: ModuleDescription['hooks'], send: Send): ModuleHooks {
  return Object.fromEntries(names.map((name) => [name, ofInstance<unknown>(['hooks', name], send)])) as ModuleHooks;
}

/** A function that is called with an instance, and plain data besides. */
function ofInstance<T>(path: FunctionPath, send: Send) {
  return async (instance: HookInstance, ...rest: readonly Data[]): Promise<T> =>
    (await send({ path, args: [sentInstance(instance), ...rest.map(data)], callee: instance })) as T;
}

function sentInstance(instance: HookInstance): SentArgument {
  const { type, name } = instance;
  const values = Object.fromEntries(Object.keys(vnfSettings).map((path) => [path, instance.value(path)]));
  return { kind: 'instance', type, name, values };
}

type Data = (SentArgument & { readonly kind: 'data' })['data'];

function data(value: Data): SentArgument {
  return { kind: 'data', data: value };
}
