import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { runOverKills } from '../support/over-kills.ts';

/* What is open when the server is killed is the same for the next server, with what was written and not yet in force. */

test('a file that is open and was removed, or replaced, lives on over kills, and its room is given back', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h/config/deep/d');
  const program = `
import os
from kills import kill
os.chdir("nf-types/host/h/config/deep/d")
one = os.open("one", os.O_RDWR | os.O_CREAT)
two = os.open("two", os.O_RDWR | os.O_CREAT)
os.write(one, b"first "); os.write(two, b"other")
os.unlink("one")
open("three", "w").write("three"); os.rename("three", "two")
os.chdir("${mount.path}")
kill()
os.write(one, b"second"); os.fsync(one); os.fchmod(two, 0o600); os.ftruncate(two, 2)
print(os.pread(one, 99, 0), os.fstat(one).st_nlink, os.pread(two, 99, 0), oct(os.fstat(two).st_mode))
late = os.open("nf-types/host/h/config/late", os.O_RDWR | os.O_CREAT)
os.write(late, b"late")
kill()
os.unlink("nf-types/host/h/config/late") # by a server that did not open it
kill()
print(os.pread(late, 99, 0), os.pread(one, 99, 0), os.listdir("nf-types/host/h/config/deep/d"), open("nf-types/host/h/config/deep/d/two").read())
print(len(os.listdir("${mount.root}/unlinked")))
for fd in (one, two, late): os.close(fd)
os.statvfs(".")
print(os.listdir("${mount.root}/unlinked"))`;
  assert.equal(await runOverKills(mount, program), "b'first second' 0 b'ot' 0o100600\nb'late' b'first second' ['two'] three\n3\n[]\n");
  await mount.unmount();
  await mount.mount();
});
