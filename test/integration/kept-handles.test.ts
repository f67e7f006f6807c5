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
while os.listdir("${mount.root}/unlinked"): os.statvfs(".")`;
  assert.equal(await runOverKills(mount, program), "b'first second' 0 b'ot' 0o100600\nb'late' b'first second' ['two'] three\n3\n");
  await mount.unmount();
  await mount.mount();
});

test('what was written to values through an open file goes on over kills', async () => {
  await using mount = await TestMount.start();
  await mount.run(`mkdir -p networks/lan nf-types/host/h/ports/p; echo 10.1.0.0/24 > networks/lan/subnet; cd nf-types/host/h
    echo lan > ports/p/network; echo 10.1.0.5/24 > ports/p/address; echo 64M > machine/vm.memory; echo before > machine/ip`);
  const program = `
import os
from kills import kill
os.chdir("nf-types/host/h")
def value(path): return open(path).read()
emptied = os.open("machine/vm.memory", os.O_WRONLY | os.O_TRUNC)
kept = os.open("machine/ip", os.O_WRONLY | os.O_TRUNC)
os.write(kept, b"other")
address = os.open("ports/p/address", os.O_WRONLY | os.O_TRUNC)
os.write(address, b"10.1.0.6/24\\n")
kill()
os.close(os.dup(emptied))
print(repr(value("machine/vm.memory")), end=" ")
os.close(emptied); os.close(kept)
os.write(address, b"fd00:1::6/64\\n")
os.statvfs(".")
print(repr(value("machine/vm.memory")), value("machine/ip").strip(), value("ports/p/address").split())
kill()
try: os.write(address, b"nonsense\\n")
except OSError as error: print(error.strerror)
os.close(address)
print(value("ports/p/address").split())`;
  assert.equal(
    await runOverKills(mount, program),
    "'67108864\\n' '' other ['10.1.0.6/24', 'fd00:1::6/64']\nInvalid argument\n['10.1.0.5/24']\n",
  );
});

test('what was written to a configuration and is not in force yet is neither lost over kills, nor taken for more than it is', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/firewall/fw; echo activate > nf-types/firewall/fw/action');
  const program = `
import os, subprocess
from kills import kill
os.chdir("nf-types/firewall/fw")
def applied(): return open("config/.applied/nf_conf").read()
def table(name): return f"table inet {name} {{ }}\\n".encode()
before = applied()
fd = os.open("config/nf_conf", os.O_WRONLY | os.O_TRUNC)
kill()
os.close(os.dup(fd)) # as a shell does before it writes
print(applied() == before, end=" ")
os.write(fd, table("one"))
subprocess.run(["true"], pass_fds=[fd]) # one that did not write
print(applied() == before, end=" ")
kill()
subprocess.run(["true"], pass_fds=[fd])
print(applied() == before, end=" ")
os.close(fd)
print(applied().strip())
fd = os.open("config/nf_conf", os.O_WRONLY | os.O_TRUNC)
os.write(fd, b"nonsense")
kill()
for call in (os.fsync, os.close):
    try: call(fd)
    except OSError as error: print(call.__name__, error.strerror)
print(applied().strip())
fd = os.open("config/nf_conf", os.O_WRONLY | os.O_TRUNC)
kill()
os.close(fd)
while applied() != "": os.statvfs(".") # close(2) does not wait for a truncation
print("emptied")`;
  assert.equal(
    await runOverKills(mount, program),
    'True True True table inet one { }\nfsync Invalid argument\nclose Invalid argument\ntable inet one { }\nemptied\n',
  );
});
