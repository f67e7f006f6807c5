import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { callNotes, killLateCalls } from './call-watch.ts';
import type { KernelThreadData } from './kernel-thread.ts';
import { fuseFd, type ServerStart, type TakeOver } from './messages.ts';
import type { Notification, NotifierThreadData } from './notifier-thread.ts';
import { daemonModule } from './options.ts';

/** The other threads of a server process, as the main thread sees them. */
export interface ServerThreads {
  /** Messages to the kernel thread. */
  readonly toKernelThread: MessagePort;
  /** Messages of the kernel thread. */
  readonly fromKernelThread: MessagePort;
  /** One number: how many messages the kernel thread took. */
  readonly taken: Int32Array;
  /** Tells the kernel thread, before anything else, which connection it will serve. */
  readonly takeOver: (order: TakeOver) => void;
  /** Has the kernel thread answer requests, when what it knows of the tree is whole. */
  readonly begin: () => void;
  /** Resolves when the kernel thread has ended, with its exit status; `failure` says why if it failed. */
  readonly ended: Promise<{ readonly code: number; readonly failure: Error | undefined }>;
  /** Notifications for the kernel. */
  readonly notifications: MessagePort;
}

/** Starts the kernel thread and the notifier, which load what they need and wait. */
export function startThreads({ options }: ServerStart): ServerThreads {
  const [inbox, outbox] = [new MessageChannel(), new MessageChannel()];
  const [taken, begun] = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))];
  const calls = callNotes();
  const data: KernelThreadData = {
    fd: fuseFd,
    timeoutMs: options.attrTimeoutMs,
    resend: options.resend,
    inbox: inbox.port2,
    outbox: outbox.port2,
    taken,
    begun,
    calls,
  };
  const kernelThread = new Worker(daemonModule('kernel-thread'), {
    workerData: data,
    transferList: [inbox.port2, outbox.port2],
    trackUnmanagedFds: false, // it opens descriptors that the main thread closes
  });
  let failure: Error | undefined;
  kernelThread.once('error', (error) => {
    failure = error;
  });
  const ended = new Promise<{ code: number; failure: Error | undefined }>((resolve) => {
    kernelThread.once('exit', (code) => resolve({ code, failure }));
  });
  const begin = (): void => {
    Atomics.store(begun, 0, 1);
    Atomics.notify(begun, 0);
  };
  const [toKernelThread, fromKernelThread] = [inbox.port1, outbox.port1];
  const takeOver = (order: TakeOver): void => {
    toKernelThread.postMessage(order);
    killLateCalls(calls);
  };
  return { toKernelThread, fromKernelThread, taken, takeOver, begin, ended, notifications: startNotifier() };
}

function startNotifier(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const data: NotifierThreadData = { fd: fuseFd, inbox: port2 };
  new Worker(daemonModule('notifier-thread'), { workerData: data, transferList: [port2] }).unref();
  return port1;
}

/** Tells the kernel, in the notifier's thread. */
export function notify(notifications: MessagePort, notification: Notification): void {
  notifications.postMessage(notification);
}
