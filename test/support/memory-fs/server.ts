/** A process that mounts a memory file system and obeys a test through IPC: started by client.ts. */
import { MessageChannel, Worker } from 'node:worker_threads';
import { cutWhenAbandoned, Errno, FuseConnection, Notifier, openAndMount, Replier, type Ticket } from '../../../src/fuse/index.ts';
import type { Command, FromSession, ServerSettings } from './protocol.ts';

const { mountpoint, readdirPlus, defaultPermissions } = JSON.parse(process.argv[2] ?? '{}') as ServerSettings;
const { fd } = await openAndMount(mountpoint, { fsname: 'memory fs'.replace(' ', '-'), defaultPermissions });
// Other tests make mount namespaces, with copies of this mount.
const connection = await FuseConnection.open(mountpoint);
void cutWhenAbandoned(connection);
const counts = new Int32Array(new SharedArrayBuffer(4 * 64));
const { port1, port2 } = new MessageChannel();
const notifier = new Notifier(fd);
const replier = new Replier(fd);
const waiting = new Map<string, Ticket>();
const polled = new Set<number>();
const errors: string[] = [];
let handed = 0;

const worker = new Worker(new URL('./session.ts', import.meta.url), {
  workerData: { fd, counts, readdirPlus, port: port2 },
  transferList: [port2],
});

worker.on('message', (message: FromSession) => {
  if (message.kind === 'handed') {
    handed += 1;
    if (replier.accept(message.ticket)) waiting.set(message.name, message.ticket);
  } else if (message.kind === 'interrupted') {
    const ticket = replier.find(message.uniqueLow, message.uniqueHigh);
    if (ticket !== undefined) replier.error(ticket, Errno.EINTR);
  } else if (message.kind === 'polled') polled.add(message.kh);
  else errors.push(message.text);
});

/** What a command comes to, as the test gets it. */
function obey(command: Command): unknown {
  switch (command.do) {
    case 'counts':
      return { counts: [...counts], errors, outstanding: replier.outstanding };
    case 'waiting':
      return [...waiting.keys()];
    case 'handed':
      return handed;
    case 'answer': {
      const ticket = waiting.get(command.name);
      waiting.delete(command.name);
      return ticket !== undefined && replier.text(ticket, command.content);
    }
    case 'put':
    case 'drop':
      return port1.postMessage(command);
    case 'ready':
      port1.postMessage(command);
      return [...polled].map((kh) => notifier.poll(kh));
    case 'invalEntry':
      return notifier.invalEntry(command.parent, command.name);
    case 'invalInode':
      return notifier.invalInode(command.nodeid, 0, 0);
    case 'delete':
      return notifier.delete(command.parent, command.child, command.name);
    case 'resend':
      return notifier.resend();
  }
}

process.on('message', (command: Command) => {
  try {
    process.send?.({ result: obey(command) ?? null });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
});

worker.on('exit', (code) => {
  port1.close();
  process.disconnect();
  process.exitCode = code;
});
process.send?.({ mounted: true });
