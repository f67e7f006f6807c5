import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { runOverKills } from '../support/over-kills.ts';

/* A command that is under way when the server is killed runs once, to its end, and its writer hears how it ended. */

const setUp = 'mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action';

test('a command under way at a kill ends as if there had been none', async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  const program = `
import os, threading
from kills import kill
os.chdir("nf-types/host/h")
def command(text, kills=1):
    fd = os.open("command", os.O_WRONLY)
    def killing():
        for turn in range(kills):
            while not os.path.exists("rfs/tmp/begun"): os.statvfs(".")
            kill()
    thread = threading.Thread(target=killing)
    thread.start()
    said = "done"
    try: os.write(fd, text.encode())
    except OSError as error: said = error.strerror
    thread.join()
    os.close(fd)
    os.unlink("rfs/tmp/begun")
    return said
print(command("echo one; touch /tmp/begun; sleep 3; echo ran >> /tmp/ran; echo two\\n"), open("command").read().split(), open("error").read())
print(command("touch /tmp/begun; sleep 6; seq 20000; echo ran >> /tmp/ran; exit 3\\n", kills=2), len(open("command").read().split()))
print(open("error").read().strip())
print(open("rfs/tmp/ran").read().split())`;
  assert.equal(
    await runOverKills(mount, program),
    "done ['one', 'two'] \nInput/output error 20000\ncommand: exit status 3; its output is in the file command\n['ran', 'ran']\n",
  );
});

test('what was written to a command and waits for more is there for the next server', async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  const program = `
import os
from kills import kill
os.chdir("nf-types/host/h")
fd = os.open("command", os.O_WRONLY)
os.write(fd, b"cat <<END\\nhere\\n")
kill()
os.write(fd, b"and there\\nEND\\n")
print(open("command").read().split())
os.write(fd, b"echo whole; touch /tmp/whole")
kill()
os.close(fd)
print(open("command").read().split(), os.listdir("rfs/tmp"))
fd = os.open("command", os.O_WRONLY)
os.write(fd, b"echo first\\n")
kill()
os.write(fd, b"echo second\\n")
os.close(fd)
print(open("command").read().split())`;
  assert.equal(await runOverKills(mount, program), "['here', 'and', 'there']\n['whole'] ['whole']\n['second']\n");
  await mount.run(`while ls ${mount.root}/guests/*/ | grep 'command[.][0-9]'; do :; done`); // nothing is left of what was noted
});
