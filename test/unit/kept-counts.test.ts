import assert from 'node:assert/strict';
import { constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Entry } from '../../src/fuse/attributes.ts';
import type { Request } from '../../src/fuse/request.ts';
import { NfioFileSystem } from '../../src/tree/file-system.ts';
import { Tree } from '../../src/tree/tree.ts';
import type { ObjectView, VnfView } from '../../src/tree/views.ts';
import { rootNodeid, specialNodeid } from '../../src/vfs/nodeid.ts';
import { SystemCalls } from '../../src/vfs/system-calls.ts';

/* What the kernel thread keeps after many objects and files have come and gone: nothing. */

const common = { uid: 0, gid: 0, mode: 0o755, createdMs: 0, changedMs: 0, ownership: {}, texts: {} };
const rounds = 50;

/** The kernel, as far as it counts what it was told of. */
class Kernel {
  readonly known = new Map<number, number>();
  #listed: Entry[] = [];
  #plus = false;
  answer: { entry?: Entry; fh?: number; errno?: number } = {};

  request(nodeid: number, plus = false): Request {
    this.#plus = plus;
    this.#listed = [];
    this.answer = {};
    const told = (entry: Entry): void => {
      this.answer.entry = { ...entry };
      this.#told(entry);
    };
    return {
      nodeid,
      uid: 0,
      gid: 0,
      pid: process.pid,
      resent: false,
      input: new Uint8Array(),
      replyEntry: told,
      replyCreate: (entry: Entry, fh: number) => {
        told(entry);
        this.answer.fh = fh;
      },
      replyOpen: (fh: number) => {
        this.answer.fh = fh;
      },
      replyOk: () => undefined,
      replyError: (errno: number) => {
        this.answer.errno = errno;
      },
      addEntry: () => true,
      addEntryPlus: (_: string, entry: Entry) => this.#listed.push({ ...entry }) > 0,
      listsAny: true,
      replyDirectory: () => {
        if (this.#plus) for (const entry of this.#listed) this.#told(entry);
      },
    } as unknown as Request;
  }

  #told({ nodeid }: Entry): void {
    this.known.set(nodeid, (this.known.get(nodeid) ?? 0) + 1);
  }
}

function vnf(serial: number, directory: string): VnfView {
  return {
    ...common,
    kind: 'vnf',
    serial,
    parent: 16,
    name: `v${serial}`,
    deployed: false,
    counters: undefined,
    countsDrops: false,
    configPath: join(directory, 'config'),
    root: { path: join(directory, 'root'), mounts: [], process: undefined, written: undefined },
    logPath: '',
    outputPath: '',
    moduleFiles: [],
    hidden: [],
  } as VnfView;
}

test('nothing is kept of VNFs that were removed, nor of files that the kernel forgot', () => {
  const root = mkdtempSync(join(tmpdir(), 'nfio-kept-'));
  const tree = new Tree();
  const fs = new NfioFileSystem({
    tree,
    forward: () => undefined,
    timeoutMs: 0,
    generation: 0,
    calls: new SystemCalls(),
    attributesChanged: () => undefined,
  });
  const type: ObjectView = { ...common, kind: 'type', serial: 16, parent: 0, name: 'host' };
  fs.receive({ kind: 'put', views: [{ ...common, kind: 'root', serial: 0, parent: 0, name: '', eventsPath: '' }, type] });
  const kernel = new Kernel();
  assert.equal(rootNodeid, specialNodeid(0, 1));
  for (let serial = 17; serial < 17 + rounds; serial += 1) {
    const directory = join(root, String(serial));
    mkdirSync(join(directory, 'config/d'), { recursive: true });
    mkdirSync(join(directory, 'root'));
    writeFileSync(join(directory, 'config/d/f'), '');
    fs.receive({ kind: 'put', views: [vnf(serial, directory)] });
    use(fs, kernel, serial);
    fs.receive({ kind: 'remove', serial });
    for (const [nodeid, count] of kernel.known) fs.forget(nodeid, count);
    kernel.known.clear();
  }
  assert.deepEqual(fs.kept(), { files: 0, directories: 0, open: 0, listings: 0 });
  rmSync(root, { recursive: true });
});

/** What a client does in a VNF: lists it in both ways, looks its directories up, and makes, opens, renames and removes files. */
function use(fs: NfioFileSystem, kernel: Kernel, serial: number): void {
  const top = specialNodeid(serial, 1);
  for (const plus of [true, false]) list(fs, kernel, top, plus);
  const names = ['config', 'rfs'].map((name) => {
    fs.lookup(kernel.request(top), name);
    return kernel.answer.entry?.nodeid ?? assert.fail(`${name}: errno ${kernel.answer.errno}`);
  });
  for (const directory of names) {
    fs.create(kernel.request(directory), 'new', { flags: constants.O_RDWR, mode: 0o600, umask: 0 });
    const { fh = 0, entry } = kernel.answer;
    const file = entry?.nodeid ?? assert.fail(`create: errno ${kernel.answer.errno}`);
    for (const plus of [true, false]) list(fs, kernel, directory, plus);
    fs.rename(kernel.request(directory), 'new', { parent: directory, newName: 'other', name: 'other', flags: 0 } as never);
    fs.unlink(kernel.request(directory), 'other');
    fs.release(kernel.request(file), fh);
  }
}

function list(fs: NfioFileSystem, kernel: Kernel, nodeid: number, plus: boolean): void {
  fs.opendir(kernel.request(nodeid));
  const { fh = 0 } = kernel.answer;
  fs.readdir(kernel.request(nodeid, plus), fh, 0, plus);
  fs.releasedir(kernel.request(nodeid), fh);
}
