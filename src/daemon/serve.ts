import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelChange } from '../domain/observation.ts';
import type { Logger } from '../domain/ports/logger.ts';
import { NfioError } from '../errors/index.ts';
import { Replier } from '../fuse/replier.ts';
import { findInits } from '../hypervisor/netns/labels.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import type { ViewSurroundings } from '../tree/build-views.ts';
import { rootSerial } from '../tree/build-views.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import { pollersBefore } from '../tree/poll-journal.ts';
import { Tree } from '../tree/tree.ts';
import { compose } from './compose.ts';
import { Gateway } from './gateway.ts';
import type { KernelThreadNote } from './kernel-thread.ts';
import { createLogger } from './logger.ts';
import { fuseFd, type ServerMessage, type ServerStart } from './messages.ts';
import { removeMountRecord } from './mount-record.ts';
import { runtimeDirectory } from './options.ts';
import { rootView } from './root-view.ts';
import { notify, type ServerThreads } from './threads.ts';
import { TreePublisher } from './tree-publisher.ts';
import { Watchers } from './watchers.ts';

/** The main thread of a server process, which ends when the file system is unmounted. */
export async function serve(start: ServerStart, threads: ServerThreads): Promise<void> {
  process.on('disconnect', () => undefined); // a server outlives its supervisor
  try {
    process.exit(await serveUntilUnmounted(start, threads));
  } catch (error) {
    const { message, stack, code } = error as Error & { readonly code?: string };
    tell({ kind: 'failed', message: error instanceof NfioError ? message : (stack ?? message), code }, () => process.exit(1));
  }
}

/** Resolves to the exit status. */
async function serveUntilUnmounted({ options, mountedMs, negotiated }: ServerStart, threads: ServerThreads): Promise<number> {
  const logger = createLogger(options.logLevel);
  const { toKernelThread, fromKernelThread, taken, notifications } = threads;
  const tree = new Tree();
  const watchers = new Watchers(tree, (kh) => notify(notifications, { kind: 'poll', kh }));
  const publisher = new TreePublisher(tree, { port: toKernelThread, taken, mountpoint: options.mountpoint, watchers });
  let orchestrator: Orchestrator | undefined;
  const listener = (change: ModelChange): void => {
    if (orchestrator !== undefined) publisher.show(change, surroundingsOf(orchestrator, tree));
  };
  orchestrator = await compose(options, { logger, listener, mountedMs });
  const { store } = orchestrator.model.parts;
  const unlinked = join(options.root, 'unlinked');
  publisher.post({ kind: 'directories', run: join(runtimeDirectory, store.mountId), unlinked });
  publisher.post({ kind: 'put', views: [rootView(store, mountedMs)] });
  await orchestrator.start();

  const timeoutMs = options.attrTimeoutMs;
  const warnings = orchestrator.unreadable;
  const gateway = new Gateway({ orchestrator, publisher, replier: new Replier(fuseFd), watchers, logger, timeoutMs });
  fromKernelThread.on('message', (message: Forwarded | KernelThreadNote) =>
    receive(message, { gateway, logger, mountId: store.mountId, warnings }),
  );
  // Those who waited for the server before this one to wake them look again, and wait for this one.
  const pollers = negotiated === undefined ? [] : pollersBefore(join(runtimeDirectory, store.mountId));
  threads.begin();
  // Requests that the server before this one had read and not answered.
  if (negotiated !== undefined) notify(notifications, { kind: 'resend' });
  for (const kh of pollers) notify(notifications, { kind: 'poll', kh });
  const { code, failure } = await threads.ended;
  if (failure !== undefined) logger.error(`kernel thread: ${failure.stack ?? failure.message}`);
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

function receive(
  message: Forwarded | KernelThreadNote,
  parts: { gateway: Gateway; logger: Logger; mountId: string; warnings: readonly string[] },
): void {
  if (message.op === 'serving') tell({ kind: 'ready', mountId: parts.mountId, negotiated: message.negotiated, warnings: parts.warnings });
  else if (message.op === 'error') parts.logger.error(message.message);
  else parts.gateway.receive(message);
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
