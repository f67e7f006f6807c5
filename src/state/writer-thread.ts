import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ChangeWriter, type WriterRequest } from './change-writer.ts';

/** What the writer works on. */
export interface WriterData {
  readonly root: string;
  readonly port: MessagePort;
}

function main({ root, port }: WriterData): void {
  const writer = new ChangeWriter(root, (reply) => port.postMessage(reply));
  port.on('message', (first: WriterRequest) => {
    const requests = [first];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) requests.push(next.message);
    writer.take(requests);
  });
}

main(workerData as WriterData);
