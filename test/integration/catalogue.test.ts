import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findings } from '../../src/middleboxes/ids/findings.ts';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/** Reads a page and prints it. */
const get = `
import sys, urllib.error, urllib.request
try: sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
except urllib.error.HTTPError as error: print(error)
`;
const viaProxy = 'http_proxy=http://10.2.0.30:3128';

/** Answers each connection with what it sends, at the port that is its argument. */
const echo = `
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
with Server(("", int(sys.argv[1])), Echo) as server: server.serve_forever()
`;

/**
 * Opens a connection to address and port, sends the third argument, if any, and waits for an empty line; then sends a line at once and another when the file
 * /tmp/go is there. Prints what came back.
 */
const patient = `
import os, socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20); f = s.makefile("rw")
def say(text): f.write(text); f.flush()
if sys.argv[3]:
    say(sys.argv[3].replace("|", "\\r\\n"))
    while f.readline().strip(): pass
say("before\\n"); print(f.readline(), end="", flush=True)
open("/tmp/waiting", "w")
while not os.path.exists("/tmp/go"): time.sleep(0.05)
say("after\\n"); print(f.readline(), end="", flush=True)
open("/tmp/done", "w")
`;

/** Sends half of a request, the other half when /tmp/go is there, and prints the answer. */
const halves = `
import os, socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
s.sendall(b"POST / HTTP/1.0\\r\\nContent-Length: 2\\r\\n\\r\\na")
open("/tmp/waiting", "w")
while not os.path.exists("/tmp/go"): time.sleep(0.05)
s.sendall(b"b"); print(s.makefile().read().split("\\n\\n")[-1], end="", flush=True)
open("/tmp/done", "w")
`;

/** Asks every port below 200 of an address to connect. */
const scan = `
import socket, sys
sockets = [socket.socket() for _ in range(199)]
for port, s in enumerate(sockets, 1): s.setblocking(False); s.connect_ex((sys.argv[1], port))
`;

const topology = `
mkdir networks/lan networks/wan
echo 10.1.0.0/24 > networks/lan/subnet
echo 10.2.0.0/24 > networks/wan/subnet
port() { mkdir -p nf-types/$1/ports/$2; echo $3 > nf-types/$1/ports/$2/network; echo $4 > nf-types/$1/ports/$2/address; }
mkdir -p nf-types/host/{client,server} nf-types/nginx/{web-a,web-b} nf-types/loadbalancer/lb nf-types/proxy/p nf-types/ids/ids-a
port host/client eth0 lan 10.1.0.10/24
port host/server eth0 wan 10.2.0.10/24
port nginx/web-a eth0 wan 10.2.0.11/24
port nginx/web-b eth0 wan 10.2.0.12/24
port loadbalancer/lb eth0 wan 10.2.0.20/24
port proxy/p eth0 wan 10.2.0.30/24
port ids/ids-a lan lan 10.1.0.1/24
port ids/ids-a wan wan 10.2.0.1/24
sed -i 's/# server web-a 10.2.0.10/server web-a 10.2.0.11/; s/# server web-b 10.2.0.11/server web-b 10.2.0.12/; s/ check$/ check inter 100/' nf-types/loadbalancer/lb/config/nf_conf
cat >> nf-types/loadbalancer/lb/config/nf_conf <<'END'

listen echo
	mode tcp
	bind :7
	server server 10.2.0.10:443
END
for vnf in ids/ids-a host/client host/server nginx/web-a nginx/web-b loadbalancer/lb proxy/p; do echo activate > nf-types/$vnf/action; done
`;

function why(): string | false {
  for (const program of ['haproxy', 'squid', 'nginx', 'ulogd', 'ndpiReader', 'python3']) {
    if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status !== 0) return `needs the program ${program}`;
  }
  return whyNoGuests() ?? false;
}

describe('a client, an ids, and services behind it', { skip: why(), timeout: 360_000 }, () => {
  let mount: TestMount;
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  /** Runs a shell command in a guest. @returns what it printed. */
  const inGuest = async (vnf: string, command: string): Promise<string> => {
    const file = join(mount.path, 'nf-types', vnf, 'command');
    await writeFile(file, command); // one write(2), which bash would make several of
    return await readFile(file, 'utf8');
  };
  const page = (url: string, environment = ''): Promise<string> =>
    inGuest('host/client', `${environment} python3 -c ${quoted(get)} ${quoted(url)}`);
  /** A reload of nginx is complete when its new workers serve: soon after it was asked for. */
  const pageBecomes = async (text: string): Promise<void> => {
    let last = '';
    for (let tries = 0; tries < 50 && last !== text; tries += 1) last = await page('http://10.2.0.11/');
    assert.equal(last, text);
  };
  const edit = (vnf: string, sed: string): Promise<string> => mount.run(`sed -i ${quoted(sed)} nf-types/${vnf}/config/nf_conf`);
  const nfConf = (vnf: string): string => join(mount.path, 'nf-types', vnf, 'config', 'nf_conf');
  /** Saves a configuration with a change, which must be refused for this reason, and then the one before again. */
  const refused = async (vnf: string, change: readonly [was: string, is: string], reason: RegExp): Promise<void> => {
    const text = await readFile(nfConf(vnf), 'utf8');
    assert.ok(text.includes(change[0]));
    await assert.rejects(writeFile(nfConf(vnf), text.replace(...change)), { code: 'EINVAL' });
    assert.match(await mount.run(`cat nf-types/${vnf}/error`), reason);
    assert.equal(await mount.run(`cat nf-types/${vnf}/status`), 'running\n');
    await writeFile(nfConf(vnf), text);
  };
  /** A connection of the client that lasts while `change` happens. @returns what came back over it. */
  const lasting = async (words: readonly string[], change: () => Promise<unknown>): Promise<string> => {
    const program = `python3 -c ${words.map(quoted).join(' ')}`;
    await inGuest('host/client', `rm -f /tmp/waiting /tmp/go /tmp/done; setsid ${program} > /tmp/said 2>&1 < /dev/null &`);
    const until = (file: string): Promise<string> =>
      inGuest('host/client', `for i in $(seq 200); do [ -e ${file} ] && exit; sleep 0.05; done; cat /tmp/said; exit 1`);
    await until('/tmp/waiting');
    await change();
    await inGuest('host/client', 'touch /tmp/go');
    await until('/tmp/done');
    return inGuest('host/client', 'cat /tmp/said');
  };
  /** What matches in a file of the ids as soon as something does. */
  const told = async (pattern: RegExp, file = 'alerts'): Promise<string> => {
    for (let tries = 0; tries < 120; tries += 1) {
      const found = pattern.exec(await mount.run(`cat nf-types/ids/ids-a/${file}`))?.[0];
      if (found !== undefined) return found;
      await sleep(250);
    }
    return assert.fail(`nothing like ${pattern} in ${file}: ${await mount.run('cat nf-types/ids/ids-a/{alerts,log}')}`);
  };

  before(async () => {
    mount = await TestMount.start();
    await mount.run(topology);
    await inGuest('host/server', `setsid python3 -c ${quoted(echo)} 443 > /dev/null 2>&1 < /dev/null &`);
  });
  after(() => mount[Symbol.asyncDispose]());

  it('loadbalancer: takes turns between its servers', async () => {
    const pages = new Set<string>();
    for (let tries = 0; tries < 4; tries += 1) pages.add(await page('http://10.2.0.20/'));
    assert.deepEqual([...pages].sort(), ['This is web-a, served by nginx\n', 'This is web-b, served by nginx\n']);
  });

  it('loadbalancer: does without a server that has stopped', async () => {
    await mount.run('echo stop > nf-types/nginx/web-b/action');
    // haproxy looks every few seconds, and gives a server up after some looks.
    let inTurn = 0;
    for (const deadline = Date.now() + 30_000; inTurn < 4 && Date.now() < deadline; )
      inTurn = (await page('http://10.2.0.20/')).includes('web-a') ? inTurn + 1 : 0;
    assert.equal(inTurn, 4);
    await mount.run('echo start > nf-types/nginx/web-b/action');
  });

  it('loadbalancer: a reload keeps a connection, and makes new ones go elsewhere', async () => {
    const said = await lasting([patient, '10.2.0.20', '7', ''], () =>
      edit('loadbalancer/lb', '/server web-a/d; s/server server 10.2.0.10:443/server server 10.2.0.10:444/'),
    );
    assert.equal(said, 'before\nafter\n');
    assert.equal(await page('http://10.2.0.20/'), 'This is web-b, served by nginx\n');
  });

  it('loadbalancer: refuses what haproxy does not understand, and what it cannot do', async () => {
    await refused('loadbalancer/lb', ['frontend web', 'frontnd web'], /^save: nf_conf line 18: unknown keyword 'frontnd'/);
    await refused('loadbalancer/lb', ['_backend servers', '_backend none'], /^save: nf_conf: Proxy 'web': .* 'none'/);
    await refused('loadbalancer/lb', ['bind 0.0.0.0:80', 'bind 10.99.0.1:80'], /^save: haproxy .* it goes on as before/);
    assert.equal(await page('http://10.2.0.20/'), 'This is web-b, served by nginx\n');
  });

  it('proxy: fetches pages and writes its access log where tail -f finds it', async () => {
    assert.equal(await page('http://10.2.0.11/some/page', viaProxy), 'This is web-a, served by nginx\n');
    const log = await mount.run('timeout 1 tail -f nf-types/proxy/p/rfs/var/log/squid/access.log || true');
    assert.match(log, /10\.1\.0\.10 TCP_MISS\/200 \d+ GET http:\/\/10\.2\.0\.11\/some\/page /);
  });

  it('proxy: a reload keeps a connection, and new rules hold', async () => {
    const text = await readFile(nfConf('proxy/p'), 'utf8');
    const said = await lasting([patient, '10.2.0.30', '3128', 'CONNECT 10.2.0.10:443 HTTP/1.1||'], () =>
      edit('proxy/p', '/^http_access deny !Safe_ports/i http_access deny all'),
    );
    assert.equal(said, 'before\nafter\n');
    assert.match(await page('http://10.2.0.11/', viaProxy), /HTTP Error 403/);
    await writeFile(nfConf('proxy/p'), text);
    assert.equal(await page('http://10.2.0.11/', viaProxy), 'This is web-a, served by nginx\n');
  });

  it('proxy: refuses what squid does not understand, and what would end it', async () => {
    await refused('proxy/p', ['http_port', 'http_prt'], /^save: nf_conf line 2: unrecognized: 'http_prt'/);
    await refused('proxy/p', ['allow localnet', 'allow localnit'], /^save: nf_conf line \d+: ACL not found: localnit/);
    await refused('proxy/p', ['http_port 3128', 'http_port 10.99.0.1:3128'], /^save: nf_conf line 2: no port .* 10\.99\.0\.1/);
    assert.equal(await page('http://10.2.0.11/', viaProxy), 'This is web-a, served by nginx\n');
  });

  it('nginx: a reload lets a request that has begun end as it began', async () => {
    await edit('nginx/web-a', 's|return 200.*|proxy_pass http://10.2.0.12/;|');
    await pageBecomes('This is web-b, served by nginx\n');
    const said = await lasting([halves, '10.2.0.11', '80'], () => edit('nginx/web-a', 's|proxy_pass.*|return 200 "another\\n";|'));
    assert.equal(said, 'This is web-b, served by nginx\n');
    await pageBecomes('another\n');
  });

  it('ids: tells of signatures and of a scan', async () => {
    await inGuest('host/client', `python3 -c ${quoted(scan)} 10.2.0.12`);
    assert.match(
      await told(/.* telnet: .*/),
      /^\w+ [ \d]\d [\d:]+ ids-a telnet: +IN=lan OUT=wan .*SRC=10\.1\.0\.10 DST=10\.2\.0\.12 .*PROTO=TCP .*DPT=23 /,
    );
    assert.match(await told(/.* scan: .*/), /SRC=10\.1\.0\.10 DST=10\.2\.0\.12 /);
    for (const file of ['rfs/var/log/ids/alerts', 'log']) await told(/ telnet: /, file);
    assert.ok(Number(await mount.run('cat nf-types/ids/ids-a/stats/alerts')) >= 2);
  });

  it('ids: tells of an attack within a flow', async () => {
    await page('http://10.2.0.12/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--');
    assert.match(
      await told(/.* flow: SQL Injection.*/),
      /flow: SQL Injection.* SRC=10\.1\.0\.10 DST=10\.2\.0\.12 PROTO=TCP SPT=\d+ DPT=80 APP=HTTP SCORE=\d+ URL=10\.2\.0\.12\/\?id=/,
    );
  });

  it('ids: takes another signature, with drops that count, and refuses what is no alert', async () => {
    const level = ['log prefix "telnet', 'log level debug prefix "telnet'] as const;
    await refused('ids/ids-a', level, /^save: nf_conf line \d+: an alert has a prefix, but neither level nor flags/);
    await refused('ids/ids-a', ['dynamic', 'dynamical'], /^save: nf_conf line \d+: /);
    await edit('ids/ids-a', 's/# ip saddr 192.0.2.0.24 log/icmp type echo-request log/');
    const ping = await mount.sh(`echo 'ping -c 1 -W 1 10.2.0.11' > nf-types/host/client/command; cat nf-types/host/client/command`);
    assert.match(ping.stdout, / 0 received/);
    assert.match(await told(/.* listed: .*/), /PROTO=ICMP TYPE=8/);
    assert.equal(await mount.run('cat nf-types/ids/ids-a/stats/pkt_drops'), '1\n');
  });

  it('ids: its files are empty while it does not run, and it does not run blind', async () => {
    await mount.run('echo stop > nf-types/ids/ids-a/action');
    assert.equal(await mount.run('cat nf-types/ids/ids-a/alerts nf-types/ids/ids-a/stats/alerts'), '');
    await mount.run('echo start > nf-types/ids/ids-a/action');
    await inGuest('ids/ids-a', 'kill $(pidof ulogd)');
    for (let tries = 0; tries < 100 && /running/.test(await mount.run('cat nf-types/ids/ids-a/status')); tries += 1) await sleep(200);
    assert.equal(await mount.run('cat nf-types/ids/ids-a/status'), 'exited (1)\n');
    await told(/ids: ulogd ended/, 'log');
  });

  it('none is activated with a configuration that its program refuses', async () => {
    const changes = { loadbalancer: 's/^backend/backnd/', proxy: 's/^http_port/http_prt/', ids: 's/limit rate/lmit rate/' };
    for (const [type, sed] of Object.entries(changes)) {
      const { status } = await mount.sh(
        `mkdir nf-types/${type}/wrong && sed -i '${sed}' nf-types/${type}/wrong/config/nf_conf && echo activate > nf-types/${type}/wrong/action`,
      );
      assert.notEqual(status, 0);
      assert.match(await mount.run(`cat nf-types/${type}/wrong/error`), /^activate: nf_conf line \d+: /);
      assert.equal(await mount.run(`cat nf-types/${type}/wrong/status`), 'undeployed\n');
    }
  });
});

describe('findings in flows', () => {
  const find = (line: string): string =>
    spawnSync('awk', ['-v', 'floor=50', findings], { input: `\t1\t${line}\n`, encoding: 'utf8' }).stdout;
  const flow = 'TCP 10.1.0.10:5294 <-> [fd00::1]:80 [proto: 91.7/TLS.HTTP][cat: Web/5]';

  it('have addresses, ports, the application and every risk', () => {
    assert.equal(
      find(`${flow}[URL: a.test/x][Risk: ** XSS Attack **** Self-signed Cert **][Risk Score: 350][PLAIN TEXT (x)]`),
      'flow: XSS Attack, Self-signed Cert SRC=10.1.0.10 DST=fd00::1 PROTO=TCP SPT=5294 DPT=80 APP=TLS.HTTP SCORE=350 URL=a.test/x\n',
    );
  });

  it('are none without a risk, or with a small one', () => {
    assert.equal(find(`${flow}[URL: a.test/x][PLAIN TEXT (x)]`), '');
    assert.equal(find(`${flow}[Risk: ** Unsafe Protocol **][Risk Score: 10]`), '');
  });

  it('cannot be hidden by what a packet says', () => {
    const fake = '[Risk: ** Fine **][Risk Score: 1]';
    for (const line of [
      `${flow}[URL: a.test/${fake}][Risk: ** XSS Attack **][Risk Score: 250]`,
      `${flow}[Risk: ** XSS Attack **][Risk Score: 250][PLAIN TEXT (${fake})]`,
    ])
      assert.match(find(line), /XSS Attack.* SRC=10\.1\.0\.10 .* SCORE=250/);
  });
});
