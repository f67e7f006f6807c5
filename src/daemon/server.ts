import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { ModelChange } from '../domain/observation.ts';
import type { Logger } from '../domain/ports/logger.ts';
import { NfioError } from '../errors/index.ts';
import { Replier } from '../fuse/replier.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';
import type { ViewSurroundings } from '../tree/build-views.ts';
import { rootSerial } from '../tree/build-views.ts';
import type { Forwarded } from '../tree/forwarded.ts';
import { Tree } from '../tree/tree.ts';
import { compose } from './compose.ts';
import { Gateway } from './gateway.ts';
import type { KernelThreadData, KernelThreadNote } from './kernel-thread.ts';
import { createLogger } from './logger.ts';
import { fuseFd, type ServerMessage, type ServerStart } from './messages.ts';
import type { Notification, NotifierThreadData } from './notifier-thread.ts';
import { daemonModule, defaultTimeoutMs, runtimeDirectory } from './options.ts';
import { rootView } from './root-view.ts';
import { TreePublisher } from './tree-publisher.ts';
import { Watchers } from './watchers.ts';

/** The server process: this, the main thread, and the kernel thread. Ends when the file system is unmounted. */
async function main(start: ServerStart): Promise<void> {
  const { options, mountedMs } = start;
  const logger = createLogger(options.logLevel);
  const inbox = new MessageChannel();
  const outbox = new MessageChannel();
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const tree = new Tree();
  const notifications = startNotifier();
  const watchers = new Watchers(tree, (kh) => notify(notifications, { kind: 'poll', kh }));
  const publisher = new TreePublisher(tree, { port: inbox.port1, taken, mountpoint: options.mountpoint, watchers });
  let orchestrator: Orchestrator | undefined;
  const listener = (change: ModelChange): void => {
    if (orchestrator !== undefined) publisher.show(change, surroundingsOf(orchestrator, tree));
  };
  orchestrator = await compose(options, { logger, listener, mountedMs });
  const { store } = orchestrator.model.parts;
  publisher.post({ kind: 'put', views: [rootView(store, mountedMs)] });
  await orchestrator.start();

  const timeoutMs = options.attrTimeoutMs ?? defaultTimeoutMs;
  const gateway = new Gateway({ orchestrator, publisher, replier: new Replier(fuseFd), watchers, logger, timeoutMs });
  outbox.port1.on('message', (message: Forwarded | KernelThreadNote) => receive(message, { gateway, logger, mountId: store.mountId }));
  const data: KernelThreadData = {
    fd: fuseFd,
    generation: start.generation,
    timeoutMs,
    negotiated: start.negotiated,
    resend: options.resend ?? true,
    inbox: inbox.port2,
    outbox: outbox.port2,
    taken,
  };
  const kernelThread = new Worker(daemonModule('kernel-thread'), { workerData: data, transferList: [inbox.port2, outbox.port2] });
  // Requests that the server before this one had read and not answered.
  if (start.negotiated !== undefined) notify(notifications, { kind: 'resend' });
  const code = await new Promise<number>((resolve) => {
    kernelThread.once('error', (error) => logger.error(`kernel thread: ${error.stack ?? error.message}`));
    kernelThread.once('exit', resolve);
  });
  await orchestrator[Symbol.asyncDispose]();
  await removeRunDirectory(orchestrator);
  process.exit(code);
}

/** What need not survive a reboot need not survive the last guest either. */
async function removeRunDirectory(orchestrator: Orchestrator): Promise<void> {
  const { inventory, parts } = orchestrator.model;
  for (const vnf of inventory.vnfs()) if (vnf.deployed) return;
  await rm(join(runtimeDirectory, parts.store.mountId), { recursive: true, force: true });
}

function startNotifier(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const data: NotifierThreadData = { fd: fuseFd, inbox: port2 };
  new Worker(daemonModule('notifier-thread'), { workerData: data, transferList: [port2] }).unref();
  return port1;
}

function notify(notifications: MessagePort, notification: Notification): void {
  notifications.postMessage(notification);
}

function receive(message: Forwarded | KernelThreadNote, parts: { gateway: Gateway; logger: Logger; mountId: string }): void {
  if (message.op === 'serving') tell({ kind: 'ready', mountId: parts.mountId, negotiated: message.negotiated });
  else if (message.op === 'error') parts.logger.error(message.message);
  else parts.gateway.receive(message);
}

function surroundingsOf(orchestrator: Orchestrator, tree: Tree): ViewSurroundings {
  const { model } = orchestrator;
  return {
    mountId: model.parts.store.mountId,
    typeSerial: (name) => tree.children(rootSerial, 'type').get(name)?.serial ?? -1,
    networkSerial: (name) => model.inventory.network(name)?.serial,
    moduleActions: (type) => model.moduleActions(type),
  };
}

function tell(message: ServerMessage): void {
  process.send?.(message);
}

process.on('disconnect', () => undefined);
main(JSON.parse(process.argv[2] ?? '') as ServerStart).catch((error: Error) => {
  tell({
    kind: 'failed',
    message: error instanceof NfioError ? error.message : (error.stack ?? error.message),
    code: (error as { code?: string }).code,
  });
  process.exitCode = 1;
  process.disconnect?.();
});
