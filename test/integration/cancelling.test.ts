import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import type { ShellOptions } from '../support/shell.ts';

/* Only what means to cancel cancels: signals as shells, terminals and language runtimes send and take them, to who waits for a file of a running guest. */

const h = 'nf-types/host/h';
const slow = 'nf-types/host/slow';
let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  // `slow` takes two seconds to stop: its main process does not end by itself.
  await mount.run(`mkdir -p ${h} ${slow} networks/lan
    echo "command=sh -c 'trap : TERM; while :; do sleep 1000 & wait; done'" > ${slow}/config/boot.conf
    chown -R 65534 ${h}; echo activate > ${h}/action; echo activate > ${slow}/action`);
});

after(async () => {
  await mount[Symbol.asyncDispose]();
});

/** A program in Python, run in the mount. It has `command(text)`, which writes to `command` in one write(2). */
function python(text: string): string {
  return `python3 - <<'END'
import os, signal, subprocess, sys, threading, time
def command(text):
    fd = os.open('${h}/command', os.O_WRONLY)
    try: return os.write(fd, text.encode())
    finally: os.close(fd)
def later(seconds, action): threading.Timer(seconds, action).start()
def send(seconds, number, pid=os.getpid()):
    subprocess.Popen(['sh', '-c', f'sleep {seconds}; kill -{int(number)} {pid}'])
${text}
END`;
}

/** The lines that commands left in a file of the guest, which is empty afterwards. */
async function counted(): Promise<string> {
  return await mount.run(`echo 'cat /root/count; rm -f /root/count' > ${h}/command || :; cat ${h}/command`);
}

/** A command that says that it began, takes its time, and says that it ended. */
const work = 'echo begun >> /root/count; timeout 100 sleep 1.5; echo ended >> /root/count';
const whole = 'begun\nended\n';

async function endsNothing(script: string, options: ShellOptions = {}): Promise<void> {
  await mount.run(script, options);
  assert.equal(await counted(), whole);
}

describe('signals that mean nothing of the kind', () => {
  test('the end of a background job of the shell', { timeout: 120_000 }, async () => {
    const jobs = (change: string) => `for i in $(seq 20); do { sleep 0.0$((i % 4)); } & ${change} || exit 1; wait; done`;
    await mount.run(jobs(`echo restart > ${h}/action`), { timeoutMs: 60_000 });
    await mount.run(jobs(`echo 10.1.$i.0/24 > networks/lan/subnet`));
    await mount.run(jobs(`echo 'sleep 0.05' > ${h}/command`), { timeoutMs: 60_000 });
    await mount.run(jobs(`echo "A=$i" > ${h}/config/boot.conf.new && mv ${h}/config/boot.conf.new ${h}/config/other`));
    assert.equal(await mount.run(`cat ${h}/status ${h}/error`), 'running\n');
  });

  for (const name of ['SIGCHLD', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGWINCH', 'SIGCONT', 'SIGURG', 'SIGRTMIN']) {
    test(`${name} with a handler, in Python, which would begin again`, () =>
      endsNothing(
        python(`signal.signal(signal.${name}, lambda *_: None); send(0.3, signal.${name}); send(0.6, signal.${name}); command('${work}')`),
      ));
  }

  test('SIGUSR1 with a handler and SA_RESTART', () =>
    endsNothing(
      python(
        `signal.signal(signal.SIGUSR1, lambda *_: None); signal.siginterrupt(signal.SIGUSR1, False); send(0.3, signal.SIGUSR1); command('${work}')`,
      ),
    ));

  test('SIGCHLD in Node, which would begin again', () =>
    endsNothing(
      `"${process.execPath}" -e 'process.on("SIGCHLD", () => {}); process.on("SIGUSR2", () => {});
      require("child_process").spawn("sh", ["-c", "sleep 0.3; kill -USR2 " + process.pid]);
      require("fs").writeFileSync("${h}/command", "${work}")'`,
    ));

  test('SIGINT and SIGTERM that are ignored, or blocked', async () => {
    await endsNothing(
      `(trap '' INT TERM HUP; echo '${work}' > ${h}/command) & sleep 0.3; kill -INT $!; kill -TERM $!; kill -HUP $!; wait $!`,
    );
    await endsNothing(
      python(`signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
send(0.3, signal.SIGINT); send(0.4, signal.SIGTERM); command('${work}'); os._exit(0)`),
    );
  });

  test('to stop and go on', () =>
    endsNothing(
      `bash -c "echo '${work}' > ${h}/command" & sleep 0.3; kill -STOP $!; sleep 0.3; kill -CONT $!; sleep 0.2; kill -TSTP $!; kill -CONT $!; wait $!`,
    ));

  test('a debugger that attaches', () =>
    endsNothing(
      python(`import ctypes
child = os.fork()
if child == 0:
    command('${work}'); os._exit(0)
time.sleep(0.3)
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long] * 4
assert ptrace(0x4206, child, 0, 0) == 0 and ptrace(0x4207, child, 0, 0) == 0
time.sleep(0.3)
os.waitpid(child, 0x40000000)
ptrace(17, child, 0, 0)
assert os.waitpid(child, 0)[1] == 0`),
    ));

  test('a signal that another thread has taken', () =>
    endsNothing(
      python(`taken = []
signal.signal(signal.SIGINT, lambda *_: taken.append(1))
worker = threading.Thread(target=command, args=('${work}',)); worker.start()
time.sleep(0.3); signal.pthread_kill(threading.main_thread().ident, signal.SIGINT); worker.join()
assert taken`),
    ));
});

describe('signals that cancel', () => {
  /** A caller that is ended: soon, with nothing of its command left in the guest. */
  async function cancelled(script: string, options: ShellOptions = {}): Promise<void> {
    await mount.sh(script, options);
    assert.equal(await counted(), 'begun\n');
    // A caller that is killed does not wait for what it began to be ended.
    const count = `echo 'for p in /proc/[0-9]*; do cat $p/cmdline | tr "\\0" " "; echo; done | grep -c "sleep 4[2]42"; :' > ${h}/command; cat ${h}/command`;
    const ended = `for i in $(seq 50); do left=$(${count}); [ "$left" = 0 ] && break; sleep 0.1; done; echo $left`;
    assert.equal(await mount.run(ended), '0\n');
  }
  const endless = 'echo begun >> /root/count; timeout 5000 sleep 4242; echo ended >> /root/count';

  for (const name of ['HUP', 'INT', 'QUIT', 'TERM', 'KILL', 'USR1', 'ALRM', 'RTMIN']) {
    test(`SIG${name} by timeout(1), with its default action`, () =>
      cancelled(`timeout -s ${name} 0.7 dash -c "echo '${endless}' > ${h}/command"`));
  }

  for (const name of ['INT', 'TERM', 'HUP']) {
    test(`SIG${name} with a trap of bash`, async () => {
      await cancelled(`bash -c 'trap "echo trapped" ${name}; echo "${endless}" > ${h}/command' & sleep 0.5; kill -${name} $!; wait $!`);
      assert.match(await mount.run(`cat ${h}/error`), /^$/); // counted() has succeeded since
    });
  }

  test('SIGTERM with a handler that returns: Python does not begin again', () =>
    cancelled(
      python(`signal.signal(signal.SIGTERM, lambda *_: None); send(0.5, signal.SIGTERM)
try: command('${endless}')
except OSError as error: assert error.errno == 125, error
else: assert False`),
    ));

  test('one that comes after others that do not', () =>
    cancelled(
      python(`signal.signal(signal.SIGCHLD, lambda *_: None); send(0.3, signal.SIGCHLD); send(0.8, signal.SIGINT)
try: command('${endless}')
except KeyboardInterrupt: pass`),
    ));

  test('the end of the process by another thread, or by exec', async () => {
    await cancelled(python(`threading.Thread(target=command, args=('${endless}',)).start(); time.sleep(0.5); os._exit(0)`));
    await cancelled(python(`threading.Thread(target=command, args=('${endless}',)).start(); time.sleep(0.5); os.execlp('true', 'true')`));
  });

  test('of a caller in a pid namespace, its init too', async () => {
    await cancelled(`unshare --pid --fork --mount-proc timeout 0.7 dash -c "echo '${endless}' > ${h}/command"`);
    await cancelled(
      `unshare --pid --fork --kill-child dash -c "echo '${endless}' > ${h}/command" & sleep 0.7; kill -KILL $!; wait $!; sleep 0.5`,
    );
  });

  test('of an ordinary user', () => cancelled(`timeout 0.7 dash -c "echo '${endless}' > ${h}/command"`, { uid: 65534 }));

  test('Ctrl-C at a terminal ends what an interactive shell waits for; a change of its size does not', async () => {
    const terminal = python(`import fcntl, pty, struct, termios
pid, fd = pty.fork()
if pid == 0: os.execlp('bash', 'bash', '--norc', '-i')
time.sleep(0.5)
os.write(fd, b"echo '${endless}' > ${h}/command\\n"); time.sleep(0.7)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 90, 0, 0)); time.sleep(0.5)
still = os.path.exists(f'/proc/{pid}') and open(f'/proc/{pid}/stat').read().split(')')[1].split()[0]
os.write(fd, b'\\x03'); time.sleep(1); os.write(fd, b'echo alive$((40+2))\\nexit\\n')
said = b''
try:
    while True:
        part = os.read(fd, 4096)
        if not part: break
        said += part
except OSError: pass
print(still, b'alive42' in said)`);
    const { stdout } = await mount.sh(terminal);
    assert.equal(stdout, 'D True\n');
    assert.equal(await counted(), 'begun\n');
  });
});

describe('a verb that is cancelled', () => {
  const state = (vnf: string) => mount.run(`cat ${vnf}/status`);

  test('restart is finished: the guest runs', { timeout: 120_000 }, async () => {
    for (const seconds of [0.05, 0.3, 1, 2, 2.1]) {
      await mount.sh(`timeout -s KILL ${seconds} dash -c 'echo restart > ${slow}/action'`);
      assert.equal(await state(slow), 'running\n', `after ${seconds} s`);
      assert.equal(await mount.run(`cat ${slow}/error ${slow}/action`), 'stop restart pause reload destroy\n');
    }
  });

  test('stop is finished: its caller learns that, and its signal after it', async () => {
    const { stdout } = await mount.sh(
      `bash -c 'trap "echo trapped" TERM; echo stop > ${slow}/action && echo stopped' & sleep 0.5; kill $!; wait $!; wait`,
    );
    assert.deepEqual(stdout.trim().split('\n').toSorted(), ['stopped', 'trapped']);
    assert.match(await state(slow), /^exited/);
    await mount.run(`echo start > ${slow}/action`);
  });

  test('activate is taken back, or done', { timeout: 120_000 }, async () => {
    await mount.run('mkdir -p nf-types/firewall/fw/ports/lan; echo lan > nf-types/firewall/fw/ports/lan/network');
    const outcomes = new Set<string>();
    for (const milliseconds of [1, 5, 10, 15, 20, 30, 40, 60, 90]) {
      await mount.sh(`timeout -s KILL 0.${String(milliseconds).padStart(3, '0')} dash -c 'echo activate > nf-types/firewall/fw/action'`);
      const outcome = await state('nf-types/firewall/fw');
      outcomes.add(outcome);
      assert.match(outcome, /^(undeployed|running)\n$/, `after ${milliseconds} ms`);
      assert.match(
        await mount.run('cat nf-types/firewall/fw/error'),
        outcome === 'running\n' ? /^$/ : /^(activate: interrupted by its caller.*\n)?$/,
      );
      if (outcome === 'running\n') await mount.run('echo destroy > nf-types/firewall/fw/action');
    }
    await mount.run('rmdir nf-types/firewall/fw');
  });
});
