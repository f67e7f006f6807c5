import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Negotiated } from '../fuse/init.ts';
import { Notifier } from '../fuse/notifier.ts';
import { FuseSession } from '../fuse/session.ts';
import { NfioFileSystem } from '../tree/file-system.ts';
import type { KernelMessage } from '../tree/forwarded.ts';
import { Tree } from '../tree/tree.ts';
import { SystemCalls } from '../vfs/system-calls.ts';
import { callWatch } from './call-watch.ts';
import type { TakeOver } from './messages.ts';

/** What the main thread gives the kernel thread. */
export interface KernelThreadData {
  /** The mounted /dev/fuse. */
  readonly fd: number;
  readonly timeoutMs: number;
  /** As MountOptions.resend. */
  readonly resend: boolean;
  /** Messages to this thread; the first is the order to take over. */
  readonly inbox: MessagePort;
  /** Messages to the main thread. */
  readonly outbox: MessagePort;
  /** One number: how many messages were taken from the inbox. */
  readonly taken: Int32Array;
  /** One number: not 0 once the inbox has the whole tree. */
  readonly begun: Int32Array;
  /** The call under way that another process makes (call-watch.ts). */
  readonly calls: Int32Array;
}

/** What this thread sends besides forwarded requests. */
export type KernelThreadNote =
  /** Requests are answered from now on. */
  | { readonly op: 'serving'; readonly negotiated: Negotiated }
  /** The answer to a ping. */
  | { readonly op: 'alive' }
  | { readonly op: 'error'; readonly message: string };

/** Reads requests and answers what it can; sleeps in read(2) otherwise. Ends when the file system is unmounted. */
function main(data: KernelThreadData): void {
  const { inbox, outbox, taken } = data;
  Atomics.wait(data.begun, 0, 0);
  const { generation, negotiated } = (receiveMessageOnPort(inbox) as { message: TakeOver }).message;
  const tree = new Tree();
  const forward = outbox.postMessage.bind(outbox);
  const calls = new SystemCalls(callWatch(data.calls));
  // Attributes alone: the kernel takes no lock for that which a request may hold.
  const notifier = new Notifier(data.fd);
  const attributesChanged = (nodeid: number): boolean => notifier.invalInode(nodeid, -1, 0);
  const tell = (message: string): void => outbox.postMessage({ op: 'error', message } satisfies KernelThreadNote);
  const fileSystem = new NfioFileSystem({ tree, forward, timeoutMs: data.timeoutMs, generation, calls, attributesChanged, tell });
  const beforeRequest = (): void => {
    for (let received = receiveMessageOnPort(inbox); received !== undefined; received = receiveMessageOnPort(inbox)) {
      const message = received.message as KernelMessage;
      if (message.kind === 'ping') outbox.postMessage({ op: 'alive' } satisfies KernelThreadNote);
      else fileSystem.receive(message);
      Atomics.add(taken, 0, 1);
    }
  };
  const onError = (error: unknown, opcode: number): void => {
    tell(`opcode ${opcode}: ${(error as Error).stack ?? String(error)}`);
  };
  const { resend } = data;
  const session = new FuseSession(data.fd, fileSystem, { beforeRequest, onError, resend, posixAcl: true, killPriv: 'file-system' });
  // The first request of a new connection is INIT; one that was taken over has had it.
  if (negotiated === undefined) session.handleOne();
  else session.adopt(negotiated);
  if (session.negotiated === undefined) throw new Error('the kernel and nf.io could not agree on a protocol version');
  beforeRequest();
  const note: KernelThreadNote = { op: 'serving', negotiated: session.negotiated };
  outbox.postMessage(note);
  while (session.handleOne()) fileSystem.resume(session);
}

main(workerData as KernelThreadData);
