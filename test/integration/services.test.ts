import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { Middlebox } from '../../src/domain/middlebox.ts';
import dns from '../../src/middleboxes/dns.ts';
import nginx from '../../src/middleboxes/nginx.ts';
import { whyNoNamespaces } from '../support/network-guest.ts';
import { ServiceGuest } from '../support/service-guest.ts';

const guestPath = '/etc/nfio/nf_conf';

/** Asks for a name over UDP, and prints the addresses. Python is there where the other tests run. */
const resolver = `
import socket, struct, sys
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split(".")) + b"\\0"
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + name + struct.pack(">HH", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
s.sendto(query, ("127.0.0.1", 53)); answer = s.recv(512)
print(socket.inet_ntoa(answer[-4:]) if answer[7] else "none")
`;

const getPage = `
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1/").read().decode(), end="")
`;

function partsOf({ configuration, run }: Middlebox): {
  language: NonNullable<typeof configuration>['language'];
  text: string;
  command: readonly string[];
} {
  assert.ok(configuration !== undefined && run?.netns?.command !== undefined);
  return { language: configuration.language, text: configuration.default, command: run.netns.command };
}

function why(program: string): string | false {
  if (spawnSync('sh', ['-c', 'command -v "$1" && command -v python3', 'sh', program]).status !== 0) return `needs ${program} and python3`;
  return whyNoNamespaces() ?? false;
}

describe('nginx', { skip: why('nginx'), timeout: 60_000 }, () => {
  const { language, text, command } = partsOf(nginx);

  it('serves its page, takes another, refuses a wrong one and keeps running', async () => {
    await using guest = await ServiceGuest.start(command, text);
    await guest.execute({ argv: ['hostname', 'web-a'] });
    await language.apply({ text, guestPath }, guest);
    const { pid } = guest;
    const other = text.replace('This is $hostname', 'Hello from $server_port');
    await language.check({ text: other, guestPath }, guest);
    await language.apply({ text: other, guestPath }, guest);
    await pageBecomes(guest, 'Hello from 80, served by nginx\n');
    const wrong = { code: 'ConfigurationError', message: 'nf_conf line 16: unknown directive "listn"' };
    await assert.rejects(language.check({ text: text.replace('listen 80', 'listn 80'), guestPath }, guest), wrong);
    await assert.rejects(language.apply({ text: text.replace('listen 80', 'listn 80'), guestPath }, guest), wrong);
    assert.equal((await guest.execute({ argv: ['python3', '-c', getPage] })).stdout, 'Hello from 80, served by nginx\n');
    assert.equal(guest.pid, pid, 'it was not restarted');
    assert.match((await guest.execute({ argv: ['cat', '/proc/1/comm'] })).stdout, /^nginx/);
  });

  it('says what is wrong when it is started on a wrong configuration', async () => {
    const wrong = text.replace('worker_processes 1', 'worker_processes many');
    await using guest = await ServiceGuest.start(command, wrong);
    await assert.rejects(language.apply({ text: wrong, guestPath }, guest), {
      code: 'ConfigurationError',
      message: /^nf_conf line 4: "worker_processes" directive invalid value/,
    });
  });
});

describe('dns', { skip: why('unbound'), timeout: 60_000 }, () => {
  const { language, text, command } = partsOf(dns);

  it('answers its zone, takes another, refuses a wrong one', async () => {
    await using guest = await ServiceGuest.start(command, text);
    const ask = async (name: string): Promise<string> => (await guest.execute({ argv: ['python3', '-c', resolver, name] })).stdout.trim();
    await language.apply({ text, guestPath }, guest);
    assert.equal(await ask('www.nfio.test'), '192.0.2.80');
    assert.equal(await ask('other.nfio.test'), 'none');
    await language.apply({ text: text.replace('192.0.2.80', '192.0.2.81'), guestPath }, guest);
    assert.equal(await ask('www.nfio.test'), '192.0.2.81');
    const wrong = text.replace('verbosity: 1', 'verbosty: 1');
    await assert.rejects(language.apply({ text: wrong, guestPath }, guest), { code: 'ConfigurationError', message: /^nf_conf line \d+: / });
    assert.equal(await ask('www.nfio.test'), '192.0.2.81');
  });
});

/** A reload of nginx is complete when its new workers serve: soon after it was asked for. */
async function pageBecomes(guest: ServiceGuest, page: string): Promise<void> {
  let last = '';
  for (let tries = 0; tries < 50; tries += 1) {
    last = (await guest.execute({ argv: ['python3', '-c', getPage] })).stdout;
    if (last === page) return;
  }
  assert.equal(last, page);
}
