import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelChange } from '../domain/observation.ts';
import type { Logger } from '../domain/ports/logger.ts';
import { NfioError } from '../errors/index.ts';
import type { Negotiated } from '../fuse/init.ts';
import { Replier } from '../fuse/replier.ts';
import { findInits } from '../hypervisor/netns/labels.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import type { ViewSurroundings } from '../tree/build-views.ts';
import { rootSerial } from '../tree/build-views.ts';
import { eventsIndex } from '../tree/files.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import { pollersBefore } from '../tree/poll-journal.ts';
import { Tree } from '../tree/tree.ts';
import { specialNodeid } from '../vfs/nodeid.ts';
import { compose } from './compose.ts';
import { Gateway } from './gateway.ts';
import type { KernelThreadNote } from './kernel-thread.ts';
import { createLogger } from './logger.ts';
import { fuseFd, type ServerMessage, type ServerOrder, type ServerStart, type TakeOver } from './messages.ts';
import { removeMountRecord } from './mount-record.ts';
import { runtimeDirectory } from './options.ts';
import { rootView } from './root-view.ts';
import { notify, type ServerThreads } from './threads.ts';
import { TreePublisher } from './tree-publisher.ts';
import { Watchers } from './watchers.ts';

/** The main thread of a server process, which ends when the file system is unmounted. */
export async function serve(start: ServerStart, order: TakeOver, threads: ServerThreads): Promise<void> {
  threads.takeOver(order);
  try {
    process.exit(await serveUntilUnmounted(start, order, threads));
  } catch (error) {
    const { message, stack, code } = error as Error & { readonly code?: string };
    tell({ kind: 'failed', message: error instanceof NfioError ? message : (stack ?? message), code }, () => process.exit(1));
  }
}

/** Resolves to the exit status. */
async function serveUntilUnmounted({ options, mountedMs }: ServerStart, { negotiated }: TakeOver, threads: ServerThreads): Promise<number> {
  const logger = createLogger(options.logLevel);
  const { toKernelThread, fromKernelThread, taken, notifications } = threads;
  const tree = new Tree();
  const watchers = new Watchers(tree, (kh) => notify(notifications, { kind: 'poll', kh }));
  const publisher = new TreePublisher(tree, {
    port: toKernelThread,
    taken,
    wake: () => notify(notifications, { kind: 'wake', ...eventsIn(options.mountpoint) }),
    watchers,
  });
  answerPings(publisher);
  let orchestrator: Orchestrator | undefined;
  const listener = (change: ModelChange): void => {
    if (orchestrator !== undefined) publisher.show(change, surroundingsOf(orchestrator, tree));
  };
  orchestrator = await compose(options, { logger, listener, shown: () => publisher.shown(), mountedMs });
  const { store } = orchestrator.model.parts;
  const unlinked = join(options.root, 'unlinked');
  publisher.post({ kind: 'directories', run: join(runtimeDirectory, store.mountId), unlinked });
  publisher.post({ kind: 'put', views: [rootView(store, mountedMs)] });
  await orchestrator.start(negotiated !== undefined);

  const timeoutMs = options.attrTimeoutMs;
  const warnings = orchestrator.unreadable;
  const gateway = new Gateway({
    orchestrator,
    publisher,
    replier: new Replier(fuseFd),
    watchers,
    logger,
    timeoutMs,
    probe: join(options.root, 'probe'),
  });
  fromKernelThread.on('message', (message: Forwarded | KernelThreadNote) => {
    if (message.op !== 'serving') return receive(message, gateway, logger);
    void knownToKernel(eventsIn(options.mountpoint).path, negotiated).then(() => {
      publisher.serving();
      tell({ kind: 'ready', mountId: store.mountId, negotiated: message.negotiated, warnings });
    });
  });
  // Those who waited for the server before this one to wake them look again, and wait for this one.
  const pollers = negotiated === undefined ? [] : pollersBefore(join(runtimeDirectory, store.mountId));
  threads.begin();
  // Requests that the server before this one had read and not answered.
  if (negotiated !== undefined) notify(notifications, { kind: 'resend' });
  for (const kh of pollers) notify(notifications, { kind: 'poll', kh });
  const { code, failure } = await threads.ended;
  publisher.ended();
  if (failure !== undefined) logger.error(`kernel thread: ${failure.stack ?? failure.message}`);
  gateway[Symbol.dispose]();
  await orchestrator[Symbol.asyncDispose]();
  await removeRunDirectory(orchestrator);
  await rm(unlinked, { recursive: true, force: true });
  removeMountRecord(store.mountId); // its supervisor may have been killed
  return code;
}

/** What need not survive a reboot need not survive the last guest either. */
async function removeRunDirectory(orchestrator: Orchestrator): Promise<void> {
  const { inventory, parts } = orchestrator.model;
  for (const vnf of inventory.vnfs()) if (vnf.deployed) return;
  if (findInits('guest', parts.store.mountId).length > 0) return; // of a record that could not be read
  await rm(join(runtimeDirectory, parts.store.mountId), { recursive: true, force: true });
}

function receive(message: Exclude<Forwarded | KernelThreadNote, { op: 'serving' }>, gateway: Gateway, logger: Logger): void {
  if (message.op === 'alive') tell({ kind: 'alive' });
  else if (message.op === 'error') logger.error(message.message);
  else gateway.receive(message);
}

/**
 * Looks at the file by which the kernel thread is woken, so that the kernel knows it. That uses the mount for a moment, so it is done before anybody hears that there is one; what a server before this
 * one looked at is known.
 */
async function knownToKernel(path: string, negotiated: Negotiated | undefined): Promise<void> {
  if (negotiated === undefined) await lstat(path).catch(() => undefined);
}

/** A regular file that every mount has. */
function eventsIn(mountpoint: string): { readonly nodeid: number; readonly path: string } {
  return { nodeid: specialNodeid(rootSerial, eventsIndex), path: join(mountpoint, 'events') };
}

/** The supervisor asks for a sign of life: the kernel thread gives it once it serves, and does so for both. */
function answerPings(publisher: TreePublisher): void {
  process.on('message', ({ kind }: ServerOrder) => {
    if (kind === 'ping' && !publisher.ping()) tell({ kind: 'alive' });
  });
}

function surroundingsOf(orchestrator: Orchestrator, tree: Tree): ViewSurroundings {
  const { model } = orchestrator;
  return {
    mountId: model.parts.store.mountId,
    typeSerial: (name) => tree.children(rootSerial, 'type').get(name)?.serial ?? -1,
    networkSerial: (name) => model.inventory.network(name)?.serial,
  };
}

function tell(message: ServerMessage, sent?: () => void): void {
  process.send?.(message, undefined, undefined, sent);
}
