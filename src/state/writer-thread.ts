import { type MessagePort, workerData } from 'node:worker_threads';
import { makeDirectory, type NewDirectory, replaceFile } from './durable-file.ts';

/** What the writer is asked to do. */
export type WriterTask =
  | { readonly kind: 'replace'; readonly path: string; readonly text: string }
  | { readonly kind: 'make'; readonly directory: NewDirectory };

/** A task with its number. */
export interface WriterRequest {
  readonly id: number;
  readonly task: WriterTask;
}

/** How it ended; `code` is the errno of node:fs, absent when all went well. */
export interface WriterReply {
  readonly id: number;
  readonly code?: string;
}

/** Carries out tasks one after another: a chain of synchronous calls here costs the main thread one message each way. */
function main({ port }: { readonly port: MessagePort }): void {
  port.on('message', ({ id, task }: WriterRequest) => {
    let reply: WriterReply = { id };
    try {
      if (task.kind === 'replace') replaceFile(task.path, task.text);
      else makeDirectory(task.directory);
    } catch (error) {
      reply = { id, code: (error as NodeJS.ErrnoException).code ?? 'EIO' };
    }
    port.postMessage(reply);
  });
}

main(workerData as { readonly port: MessagePort });
