/** The thread that serves a memory file system: started by server.ts. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { DeviceTransport, FuseSession, Replier } from '../../../src/fuse/index.ts';
import { MemoryFileSystem } from './file-system.ts';
import type { Command, FromSession, SessionData } from './protocol.ts';

/** Counts what it reads. */
class CountingTransport extends DeviceTransport {
  readonly #counts: Int32Array;

  constructor(fd: number, counts: Int32Array) {
    super(fd);
    this.#counts = counts;
  }

  override read(buffer: Uint8Array): number {
    const length = super.read(buffer);
    if (length > 0) Atomics.add(this.#counts, buffer[4] ?? 0, 1);
    return length;
  }
}

const { fd, counts, readdirPlus, port } = workerData as SessionData;
const tell = (message: FromSession): void => parentPort?.postMessage(message);
const memory = new MemoryFileSystem({
  replier: new Replier(fd),
  hand: (ticket, name) => tell({ kind: 'handed', ticket, name }),
  interrupted: (uniqueLow, uniqueHigh) => tell({ kind: 'interrupted', uniqueLow, uniqueHigh }),
  polled: (kh) => tell({ kind: 'polled', kh }),
});

function obey(command: Command): void {
  const { children } = memory.root;
  if (command.do === 'ready') memory.ready = true;
  else if (command.do === 'drop') children.delete(command.name);
  else if (command.do === 'put') {
    const node = children.get(command.name) ?? memory.add(memory.root, command.name, 0o100644);
    node.content = Buffer.from(command.content);
  }
}

for (const name of ['blocked-1', 'blocked-2', 'pollable']) memory.add(memory.root, name, 0o100644).content = Buffer.alloc(1000);
const many = memory.add(memory.root, 'many', 0o040755);
for (let at = 0; at < 5000; at += 1) memory.add(many, `file-${at}-${'x'.repeat(at % 40)}`, 0o100644);

const session = new FuseSession(new CountingTransport(fd, counts), memory.operations(), {
  readdirPlus,
  cacheSymlinks: true,
  explicitInvalData: true,
  beforeRequest: () => {
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) obey(got.message as Command);
  },
  onError: (error) => tell({ kind: 'error', text: String(error instanceof Error ? error.stack : error) }),
});
session.run();
port.close();
