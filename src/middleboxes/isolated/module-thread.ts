// The thread of a user's module: imports it, says what it is, and calls its functions when asked to.
import { parentPort, workerData } from 'node:worker_threads';
import type { GuestAccess, HookInstance, Middlebox } from '../../domain/middlebox.ts';
import type { ExecuteResult, GuestCommand } from '../../domain/ports/hypervisor.ts';
import type { ModuleSource } from '../module-files.ts';
import { validateMiddlebox } from '../validate.ts';
import { importModule } from './import-module.ts';
import {
  type FromThread,
  type FunctionPath,
  type GuestFunction,
  hookNames,
  type ModuleDescription,
  type SentArgument,
  type ToThread,
} from './messages.ts';
import { type Outcome, outcomeOf, receive, sentError } from './outcome.ts';

const source = workerData as ModuleSource;
const imported = importModule(source.path).then((exported) => validateMiddlebox(source.path, exported));
const calls = new Map<number, AbortController>();
const executions = new Map<number, (outcome: Outcome<ExecuteResult>) => void>();
let requests = 0;

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'call') void call(message);
  else if (message.kind === 'abort') calls.get(message.call)?.abort();
  else if (message.kind === 'executed') executions.get(message.request)?.(message.outcome);
  else send({ kind: 'pong' });
});
send({ kind: 'imported', outcome: await outcomeOf(async () => describe(await imported)) });

async function call({ call, path, args }: ToThread & { readonly kind: 'call' }): Promise<void> {
  const abort = new AbortController();
  calls.set(call, abort);
  const outcome = await outcomeOf(async () => functionAt(await imported, path)(...args.map((arg) => argument(arg, call, abort.signal))));
  calls.delete(call);
  try {
    send({ kind: 'returned', call, outcome });
  } catch (error) {
    // What is no plain data, a function for one, stays in its thread.
    send({ kind: 'returned', call, outcome: { failure: sentError(error) } });
  }
}

/** A function of a module, bound to what it is a member of. */
function functionAt(middlebox: Middlebox, path: FunctionPath): (...args: readonly unknown[]) => unknown {
  const holder = path.slice(0, -1).reduce<object>((object, name) => Reflect.get(object, name) as object, middlebox);
  const member = Reflect.get(holder, path.at(-1) ?? '') as (...args: readonly unknown[]) => unknown;
  return member.bind(holder);
}

function argument(sent: SentArgument, call: number, signal: AbortSignal): unknown {
  if (sent.kind === 'data') return sent.data;
  const run = (where: GuestFunction) => (command: GuestCommand) => execute({ call, where, command });
  if (sent.kind === 'guest') {
    return { ports: sent.ports, signal, execute: run('execute'), executeInNetwork: run('executeInNetwork') } satisfies GuestAccess;
  }
  const { type, name, values } = sent;
  return { type, name, value: (path) => values[path] ?? '', execute: run('execute') } satisfies HookInstance;
}

async function execute(what: {
  readonly call: number;
  readonly where: GuestFunction;
  readonly command: GuestCommand;
}): Promise<ExecuteResult> {
  const request = ++requests;
  const { promise, resolve } = Promise.withResolvers<Outcome<ExecuteResult>>();
  executions.set(request, resolve);
  try {
    send({ kind: 'execute', request, ...what });
    return receive(await promise);
  } finally {
    executions.delete(request);
  }
}

function describe({
  summary,
  sysctl,
  intercepts,
  translates,
  run,
  configuration,
  files = [],
  actions = {},
  hooks = {},
}: Middlebox): ModuleDescription {
  return {
    summary,
    ...(sysctl && { sysctl }),
    ...(intercepts !== undefined && { intercepts }),
    ...(translates !== undefined && { translates }),
    ...(run && { run }),
    configuration: configuration && {
      language: configuration.language.name,
      default: configuration.default,
      countsDrops: configuration.language.drops !== undefined,
      restores: configuration.language.restore !== undefined,
      service: configuration.language.service === true,
    },
    files: files.map(({ path, mode, read, write }) => ({ path, mode, reads: read !== undefined, writes: write !== undefined })),
    actions: Object.fromEntries(Object.entries(actions).map(([name, { summary }]) => [name, summary])),
    hooks: hookNames.filter((name) => hooks[name] !== undefined),
  };
}

function send(message: FromThread): void {
  parentPort?.postMessage(message);
}
