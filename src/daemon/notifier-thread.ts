import { lstat } from 'node:fs';
import { type MessagePort, workerData } from 'node:worker_threads';
import { Notifier } from '../fuse/notifier.ts';

/** What the main thread gives the notifier. */
export interface NotifierThreadData {
  /** The mounted /dev/fuse. */
  readonly fd: number;
  readonly inbox: MessagePort;
}

/** What to tell the kernel. */
export type Notification =
  /** Those who poll with this handle of the kernel should look again. */
  | { readonly kind: 'poll'; readonly kh: number }
  /** The kernel thread should look at its messages. Named is a regular file, which the kernel may not know. */
  | { readonly kind: 'wake'; readonly nodeid: number; readonly path: string }
  /** Requests that were read and not answered should be sent again. */
  | { readonly kind: 'resend' };

/**
 * The only thread that sends notifications: the kernel may take locks for them that a request in progress holds, so a thread that answers
 * requests could wait for itself.
 */
function main({ fd, inbox }: NotifierThreadData): void {
  const notifier = new Notifier(fd);
  inbox.on('message', (notification: Notification) => {
    if (notification.kind === 'poll') notifier.poll(notification.kh);
    else if (notification.kind === 'wake') wake(notifier, notification);
    else notifier.resend();
  });
}

/** Where the kernel does not know the file, it does when it was looked at, and looking wakes as well. */
function wake(notifier: Notifier, { nodeid, path }: { readonly nodeid: number; readonly path: string }): void {
  if (!notifier.wake(nodeid)) lstat(path, () => undefined);
}

main(workerData as NotifierThreadData);
