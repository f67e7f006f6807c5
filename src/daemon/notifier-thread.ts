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
    else notifier.resend();
  });
}

main(workerData as NotifierThreadData);
