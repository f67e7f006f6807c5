import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

/*
 * A failure to look is no absence (docs/adr/0023-failing-to-look.md): who turns an error into "there is none" names the errnos that say so, by isAbsence, unlessAbsent or isThere of src/errors.
 * What catches every error without looking at it is listed here, with what makes that right: at most so many in a file.
 */

const silent = /catch \{|\.catch\(\(\) =>|\bexistsSync\(|\(\) => (?:false|undefined|''|\[\]),?\n\s*\)/g;

const parses = 'text, bytes or an address that is not what it could be: nothing is looked at';
const again = 'is looked at again soon';
const undoing = 'takes back or clears away after a failure that is told, or before what does not depend on it';
const toldElsewhere = 'another who waits for the same promise, or the next use, is told';
const without = 'can be done without, and says nothing of whether something exists';
const words = 'chooses the words of a finding or of an error that is told anyway';

const allowed: Readonly<Record<string, readonly [most: number, why: string]>> = {
  'cli/commands/umount.ts': [1, 'who cannot be looked for is taken to be there'],
  'cli/destroy-all.ts': [1, words],
  'cli/doctor/cgroups.ts': [2, words],
  'cli/doctor/kernel.ts': [1, words],
  'cli/images/docker-image-engine.ts': [1, without],
  'cli/in-use.ts': [2, 'who cannot be looked for is taken to be there; and words'],
  'cli/missing-programs.ts': [1, words],
  'cli/not-ended.ts': [1, words],
  'daemon/asked-files.ts': [2, toldElsewhere],
  'daemon/compile-cache.ts': [1, without],
  'daemon/earlier-mount.ts': [1, again],
  'daemon/disk-work.ts': [1, 'what cannot be changed is not waited for'],
  'daemon/logger.ts': [1, 'there is nowhere left to say so'],
  'daemon/option-kinds.ts': [1, parses],
  'daemon/serve.ts': [1, without],
  'daemon/stay-alive.ts': [2, without],
  'daemon/supervisor.ts': [4, undoing],
  'daemon/watchers.ts': [1, again],
  'domain/chains/chain-path.ts': [1, parses],
  'domain/chains/match-expression.ts': [1, parses],
  'fuse/byte-names.ts': [1, parses],
  'fuse/connection.ts': [1, toldElsewhere],
  'fuse/ended-by-signal.ts': [2, 'a program that closes by itself: what it wrote is judged'],
  'fuse/process-of.ts': [1, 'an unknown process, at whose closes all is saved'],
  'hypervisor/docker/conversation.ts': [1, toldElsewhere],
  'hypervisor/docker/driver.ts': [2, again],
  'hypervisor/docker/engine-link.ts': [2, toldElsewhere],
  'hypervisor/docker/engine/send.ts': [1, parses],
  'hypervisor/docker/engines.ts': [1, parses],
  'hypervisor/docker/execute.ts': [1, undoing],
  'hypervisor/docker/failure.ts': [1, words],
  'hypervisor/docker/guest-files.ts': [1, parses],
  'hypervisor/docker/main-process.ts': [1, again],
  'hypervisor/docker/undone-if-aborted.ts': [1, undoing],
  'hypervisor/docker/verbs.ts': [3, undoing],
  'hypervisor/libvirt/acceleration.ts': [1, parses],
  'hypervisor/libvirt/driver.ts': [3, undoing],
  'hypervisor/libvirt/execute.ts': [1, again],
  'hypervisor/libvirt/guest-files.ts': [1, parses],
  'hypervisor/libvirt/guest.ts': [1, without],
  'hypervisor/libvirt/host-link.ts': [3, again],
  'hypervisor/libvirt/links.ts': [1, parses],
  'hypervisor/libvirt/live-ports.ts': [2, undoing],
  'hypervisor/libvirt/rpc/transport.ts': [1, 'where none is found the first is connected to, which says why it is none'],
  'hypervisor/libvirt/start.ts': [2, undoing],
  'hypervisor/libvirt/vm-address.ts': [1, 'the next source is asked'],
  'hypervisor/libvirt/watcher.ts': [3, again],
  'hypervisor/netns/cgroups.ts': [2, without],
  'hypervisor/netns/driver.ts': [4, undoing],
  'hypervisor/netns/guest-records.ts': [2, 'what is not whole is told, and ends nothing'],
  'hypervisor/netns/launch.ts': [2, again],
  'hypervisor/netns/rest-views.ts': [3, undoing],
  'hypervisor/netns/watcher.ts': [1, again],
  'library/vnf-files.ts': [1, words],
  'middleboxes/ids/signatures.ts': [1, parses],
  'middleboxes/isolated/isolated-module.ts': [1, toldElsewhere],
  'middleboxes/isolated/running-thread.ts': [1, toldElsewhere],
  'network/fabric.ts': [1, without],
  'network/live-port.ts': [3, undoing],
  'network/network-hold.ts': [1, without],
  'network/process-id.ts': [1, 'asks kill(2), which needs no descriptor'],
  'network/fabric-rules.ts': [2, toldElsewhere],
  'network/guard/guard.ts': [3, again],
  'network/steering/fast-path.ts': [1, again],
  'network/steering/probe.ts': [1, undoing],
  'network/taps.ts': [2, undoing],
  'orchestrator/chains/host-view.ts': [1, words],
  'orchestrator/command-note.ts': [1, 'without a note a command is not taken up: said in its own words'],
  'orchestrator/command-output.ts': [1, toldElsewhere],
  'orchestrator/command-shell.ts': [1, toldElsewhere],
  'orchestrator/lane.ts': [1, toldElsewhere],
  'orchestrator/last-log.ts': [1, without],
  'orchestrator/port-service.ts': [1, undoing],
  'orchestrator/spoof-observer.ts': [1, again],
  'orchestrator/verb-notes.ts': [2, without],
  'orchestrator/vnf-actions.ts': [2, 'what was told last stays'],
  'state/file-store.ts': [1, without],
  'state/journal-text.ts': [1, parses],
  'state/journal.ts': [1, toldElsewhere],
  'state/replay.ts': [2, parses],
  'state/root-header.ts': [1, parses],
  'state/writer.ts': [1, 'the journal keeps what could not be brought to rest'],
  'tree/poll-journal.ts': [1, again],
  'tree/unsaved-journal.ts': [1, 'the next server takes all open files for written to'],
  'vfs/descriptor-limit.ts': [1, 'what was read last stays'],
  'vfs/node-journal.ts': [1, again],
  'vfs/unlinked-files.ts': [1, without],
};

const src = join(import.meta.dirname, '../../src');

test('nothing takes every error for absence unseen', () => {
  const found = globSync('**/*.ts', { cwd: src }).flatMap((file) => {
    const text = readFileSync(join(src, file), 'utf8');
    const count = [...text.matchAll(silent)].length;
    const [most] = allowed[file] ?? [0];
    return count > most ? [`src/${file}: ${count} places catch every error unseen, and ${most} are known`] : [];
  });
  assert.deepEqual(
    found,
    [],
    'Name the errnos that mean absence (isAbsence, unlessAbsent, isThere of src/errors), or list the place here with its reason.',
  );
});

test('what is listed is still there', () => {
  const stale = Object.keys(allowed).filter((file) => {
    const text = globSync(file, { cwd: src }).length === 0 ? '' : readFileSync(join(src, file), 'utf8');
    return text.search(silent) < 0;
  });
  assert.deepEqual(stale, []);
});
