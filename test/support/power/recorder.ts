/** A process that serves one file, `disk`, and records what is written to it and when it is synced: started by recording.ts. What is written to `mark` is a mark in the record. */
import { fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { DeviceTransport, Errno, type FileSystem, FuseSession, openAndMount } from '../../../src/fuse/index.ts';
import { encodeHeader, type RecordKind } from './record-format.ts';

const [mountpoint = '', image = '', record = ''] = process.argv.slice(2);
const disk = openSync(image, 'r+');
const log = openSync(record, 'w');
const timeoutMs = 3_600_000;
const nodes = { '': 1, disk: 2, mark: 3 } as const;

function note(kind: RecordKind, offset: number, data: Uint8Array): void {
  writeSync(log, encodeHeader(kind, offset, data.length));
  writeSync(log, data);
}

function attr(nodeid: number) {
  const size = nodeid === nodes.disk ? fstatSync(disk).size : 0;
  const mode = nodeid === nodes[''] ? 0o040755 : 0o100644;
  const owner = { nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096, atimeMs: 0, mtimeMs: 0, ctimeMs: 0 };
  return { ...owner, ino: nodeid, size, blocks: size / 512, mode };
}

const nothing = new Uint8Array(0);
const operations: FileSystem = {
  lookup: (request, name) => {
    const nodeid = nodes[name as keyof typeof nodes];
    if (nodeid === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry({ nodeid, generation: 0, entryTimeoutMs: timeoutMs, attrTimeoutMs: timeoutMs, attr: attr(nodeid) });
  },
  getattr: (request) => request.replyAttr(attr(request.nodeid), timeoutMs),
  setattr: (request) => request.replyAttr(attr(request.nodeid), timeoutMs),
  open: (request) => request.replyOpen(request.nodeid, 0),
  release: (request) => request.replyOk(),
  flush: (request) => request.replyOk(),
  read: (request, _fh, offset, size) => request.replyData(readSync(disk, request.data, 0, size, offset)),
  write: (request, _fh, offset, size) => {
    const data = request.input.subarray(request.inputOffset, request.inputOffset + size);
    if (request.nodeid === nodes.mark) note('mark', 0, data);
    else {
      note('write', offset, data);
      writeSync(disk, data, 0, size, offset);
    }
    request.replyWrite(size);
  },
  fsync: (request) => {
    note('sync', 0, nothing);
    request.replyOk();
  },
};

const { fd } = await openAndMount(mountpoint, { fsname: 'recorded' });
process.send?.('mounted');
process.disconnect?.();
new FuseSession(new DeviceTransport(fd), operations, {}).run();
