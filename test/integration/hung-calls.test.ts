import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/** The process that makes system calls for a server: not its child, but it has its number in the command line. */
async function callMaker(server: number): Promise<number | undefined> {
  for (const pid of await readdir('/proc')) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words[1]?.endsWith('/system-calls.pl') && words[2] === String(server)) return Number(pid);
  }
  return undefined;
}

test('a process that makes system calls for the server and hangs, or is killed, costs one call; it ends with the mount', async () => {
  const mount = await TestMount.start();
  try {
    await mount.run('mkdir -p nf-types/host/h; cd nf-types/host/h/config; mkfifo before; touch f');
    const server = await mount.server();
    for (const [signal, said] of [
      ['SIGSTOP', /Connection timed out/],
      ['SIGKILL', /Input\/output error/],
    ] as const) {
      const maker = (await callMaker(server)) ?? assert.fail('nothing makes system calls');
      process.kill(maker, signal);
      const hung = await mount.sh('cd nf-types/host/h/config; mkfifo hung', { timeoutMs: 60_000 });
      assert.match(hung.stderr, said);
      await mount.run(`cd nf-types/host/h/config; mkfifo after-${signal}; [ -p after-${signal} ]`);
      await mount.ended(maker);
    }
    assert.equal(await mount.server(), server);
    const last = (await callMaker(server)) ?? assert.fail('nothing makes system calls');
    await mount.unmount();
    await mount.ended(last);
  } finally {
    await mount[Symbol.asyncDispose]();
  }
});
