import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Root of a guest is user 0, as the machine's root is: what only that may read must not be there at all. */

const word = `nfio-canary-${process.pid}`;

/** Files of the machine that a guest is not to see, by directory; the mode of the file. */
const hidden: readonly (readonly [directory: string, mode: number])[] = [
  [`/${word}`, 0o644],
  [`/home/${word}/.ssh`, 0o600],
  [`/srv/${word}`, 0o644],
  [`/opt/${word}`, 0o600],
  [`/var/lib/${word}-state`, 0o644],
  [`/etc/${word}`, 0o600],
];

describe('files of the machine', { skip: whyNoGuests() ?? false }, () => {
  let mount: TestMount;

  before(async () => {
    for (const [directory, mode] of hidden) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(`${directory}/${word}`, 'secret', { mode });
    }
    execFileSync('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).bind("/var/lib/${word}-state/${word}-socket")`]);
    mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
  });
  after(async () => {
    await mount[Symbol.asyncDispose]();
    for (const path of [...hidden.map(([directory]) => directory.replace('/.ssh', '')), `/etc/${word}.conf`])
      rmSync(path, { recursive: true, force: true });
  });

  async function inGuest(script: string): Promise<string> {
    return mount.run(`cd nf-types/host/h; printf '%s\\n' "$script" > command; cat command`, { env: { script } });
  }
  const files = `find / -xdev -path /usr -prune -o ! -type d -name "*${word}*" -print`;

  test('that nobody gave a guest are not there', async () => {
    assert.equal(await inGuest(files), '');
    assert.equal(
      await inGuest('find / -xdev \\( -path /usr -o -path /var/lib/dpkg \\) -prune -o \\( -type s -o -type f ! -perm -004 \\) -print'),
      '',
    );
    assert.equal(await inGuest('cat /etc/shadow /etc/shadow- /etc/gshadow /etc/ssh/ssh_host_*_key 2>/dev/null || true'), '');
    assert.equal(
      await inGuest('cat /proc/interrupts /proc/keys /proc/timer_list; find /sys/firmware /proc/acpi -mindepth 1 2>/dev/null || true'),
      '',
    );
  });

  test('are not there for who looks at the root of one that does not run', async () => {
    await mount.run('echo stop > nf-types/host/h/action');
    assert.equal(
      await mount.run(
        `find nf-types/host/h/rfs -path '*/rfs/usr' -prune -o ! -type d -name '*${word}*' -print; ls nf-types/host/h/rfs/home`,
      ),
      '',
    );
    await mount.run('echo start > nf-types/host/h/action');
  });

  test('of programs are, also those of packages that are installed later', async () => {
    assert.equal(await inGuest('cat /etc/debian_version'), readFileSync('/etc/debian_version', 'utf8'));
    assert.equal(await inGuest("dpkg-query --show --showformat='${Status}\\n' bash; readlink /var/run"), 'install ok installed\n/run\n');
    writeFileSync(`/etc/${word}.conf`, 'installed\n');
    assert.equal(await inGuest(files), '');
    utimesSync('/var/lib/dpkg/status', new Date(), new Date());
    await mount.run('echo restart > nf-types/host/h/action');
    assert.equal(await inGuest(`cat /etc/${word}.conf`), 'installed\n');
  });

  test('are the same for guests that start after the server was killed', async () => {
    const { mountId } = JSON.parse(readFileSync(`${mount.root}/nfio.json`, 'utf8')) as { readonly mountId: string };
    const layers = (): number =>
      readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`/${mountId}/machine/`)).length;
    const before = layers();
    assert.ok(before > 0);
    const server = await mount.server();
    process.kill(server, 'SIGKILL');
    await mount.ended(server);
    await mount.run('echo restart > nf-types/host/h/action');
    assert.equal(await inGuest(`cat /etc/${word}.conf; ls /home`), 'installed\n');
    assert.equal(layers(), before);
  });

  test('can be changed by the guest for itself', async () => {
    await inGuest(
      'echo own > /etc/debian_version; mkdir -p /opt/own /home/own; echo own > /opt/own/file; chmod 700 /usr/bin/env; rm /var/run',
    );
    await mount.run('echo restart > nf-types/host/h/action');
    assert.equal(
      await inGuest('cat /etc/debian_version /opt/own/file; ls /home; stat -c %a /usr/bin/env; ls -d /var/run 2>&1 || true'),
      "own\nown\nown\n700\nls: cannot access '/var/run': No such file or directory\n",
    );
    assert.notEqual(readFileSync('/etc/debian_version', 'utf8'), 'own\n');
  });
});
