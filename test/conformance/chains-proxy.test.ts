import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* A hop that ends connections and makes its own: a proxy that neither client nor server is told of. */

/** Tells who asks under which address it sees them. */
const webServer = `
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = ("you are " + self.client_address[0] + "\\n").encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *words): pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
with Server(("", 80), Handler) as server: server.serve_forever()
`;

/** Reads pages over one connection, the second when the file /tmp/go is there, and prints them with their Via headers. */
const patient = `
import http.client, os, time
connection = http.client.HTTPConnection("10.2.0.10", 80, timeout=20)
def page():
    connection.request("GET", "/older"); answer = connection.getresponse(); return answer.getheader("Via"), answer.read().decode()
print(*page(), end="", flush=True)
open("/tmp/waiting", "w")
while not os.path.exists("/tmp/go"): time.sleep(0.05)
print(*page(), end="", flush=True)
open("/tmp/done", "w")
`;

function why(): string | false {
  for (const program of ['squid', 'ulogd', 'ndpiReader', 'python3', 'curl']) {
    if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status !== 0) return `needs the program ${program}`;
  }
  return whyNoGuests() ?? false;
}

describe('a proxy in a service chain', { skip: why(), timeout: 360_000 }, () => {
  let lab: ChainLab;
  const nfConf = (): string => join(lab.mount.path, 'nf-types', 'proxy', 'p', 'config', 'nf_conf');
  const get = (path: string): Promise<string> => lab.in('client', `curl -s -m 10 -w '%{http_code}\n' http://10.2.0.10${path}`);
  const log = (): Promise<string> => lab.run('cat nf-types/proxy/p/rfs/var/log/squid/access.log');
  /** squid notes a request after it was answered: maybe later than the client ends. */
  const untilLogged = (pattern: RegExp): Promise<void> => lab.until(async () => pattern.test(await log()), `a line like ${pattern}`);
  const hops = (...names: readonly string[]): string =>
    names.map((name) => `ln -s ../../nf-types/${name} ${name.split('/')[1]}`).join('\n');

  before(async () => {
    lab = await ChainLab.start(['f', 'g']);
    await lab.in('server', `setsid python3 -c '${webServer}' </dev/null >/dev/null 2>&1 &`);
    await lab.until(async () => (await get('/')) === 'you are 10.1.0.10\n200\n', 'the server answers');
    await lab.run(`mkdir -p nf-types/ids/i nf-types/proxy/p
      echo env.IDS_WINDOW=2 > nf-types/ids/i/config/boot.conf
      for v in ids/i proxy/p; do echo activate > nf-types/$v/action; done
      mkdir chns/web; cd chns/web
      ${hops('ids/i', 'proxy/p')}
      ln -s i start; ln -s ../p i/next
      echo lan > ingress; echo wan > egress; echo 'tcp dport 80' > match; echo activate > action`);
  });
  after(() => lab[Symbol.asyncDispose]());

  test('logs the request under the address of the client, which the server sees as well', async () => {
    assert.equal(await get('/page'), 'you are 10.1.0.10\n200\n');
    await untilLogged(/^\S+ +\d+ 10\.1\.0\.10 TCP_MISS\/200 \d+ GET http:\/\/10\.2\.0\.10\/page - ORIGINAL_DST\/10\.2\.0\.10 /m);
    assert.match(await lab.in('client', 'curl -s -i -m 10 http://10.2.0.10/via'), /^Via: 1\.1 proxy /m);
  });

  test('shares its hop with nobody, for what comes back would reach another one', async () => {
    const refused = await lab.sh('echo 2 > chns/web/p/replicas');
    assert.equal(errnoText(refused), 'Invalid argument');
    assert.match(await lab.run('cat chns/web/error'), /^replicas: hop p: VNFs of type proxy end connections .* cannot share a hop/);
    assert.equal(await lab.run('ls nf-types/proxy; cat chns/web/path'), 'p\nlan → i → p → wan\n');
    assert.equal(await get('/alone'), 'you are 10.1.0.10\n200\n');
  });

  test('refuses what its configuration denies, at the next request', async () => {
    const text = await readFile(nfConf(), 'utf8');
    await writeFile(nfConf(), text.replace(/^http_access/m, 'acl secret urlpath_regex ^/secret\nhttp_access deny secret\n$&'));
    assert.match(await get('/secret/1'), /ERR_ACCESS_DENIED[\s\S]*\n403\n$/);
    assert.match(await get('/open'), /\n200\n$/);
    await writeFile(nfConf(), text);
    assert.match(await get('/secret/2'), /\n200\n$/);
  });

  test('lets connections pass that its configuration does not ask for', async () => {
    const text = await readFile(nfConf(), 'utf8');
    await writeFile(nfConf(), text.replace(/^http_port .*tproxy$/m, ''));
    assert.match(await get('/past'), /\n200\n$/);
    assert.doesNotMatch(await log(), /\/past /);
    await writeFile(nfConf(), text);
    assert.match(await get('/again'), /\n200\n$/);
    await untilLogged(/\/again /);
  });

  test('leaves the ids before it the flow of the client', async () => {
    await get('/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--');
    await lab.until(
      async () => / flow: SQL Injection.* SRC=10\.1\.0\.10 DST=10\.2\.0\.10 /.test(await lab.run('cat nf-types/ids/i/alerts')),
      'an alert',
    );
  });

  test('is passed by the probes of verify', async () => {
    assert.match(await lab.run('echo 1 > chns/web/verify; cat chns/web/verify'), /^ok\n/);
  });

  test('lets connections go on that are older than its place in the service chain', async () => {
    await lab.act('web', 'stop');
    await lab.in('client', `rm -f /tmp/waiting /tmp/go /tmp/done; setsid python3 -c '${patient}' > /tmp/said 2>&1 < /dev/null &`);
    const until = (file: string) =>
      lab.in('client', `i=0; until [ -e ${file} ] || [ $i -gt 200 ]; do i=$((i + 1)); sleep 0.05; done; cat /tmp/said`);
    await until('/tmp/waiting');
    await lab.act('web', 'activate');
    await lab.in('client', 'touch /tmp/go');
    assert.equal(await until('/tmp/done'), 'None you are 10.1.0.10\n'.repeat(2));
    assert.match(await get('/newer'), /\n200\n$/);
    await untilLogged(/\/newer /);
  });

  test('in two service chains keeps the connections of each on its own way', async () => {
    await lab.run(`echo 'ip saddr 10.1.0.10 tcp dport 80' > chns/web/match; cd chns/web; ${hops('firewall/f')}; ln -s ../f p/next
      mkdir ../other; cd ../other
      ${hops('proxy/p', 'firewall/g')}
      ln -s p start; ln -s ../g p/next
      echo lan > ingress; echo wan > egress; echo 'ip saddr 10.1.0.11 tcp dport 80' > match; echo activate > action`);
    await lab.run("printf '10.1.0.10/24\\n10.1.0.11/24\\n' > nf-types/host/client/ports/eth0/address");
    const counts = async (): Promise<number[]> => [...(await lab.counts('web', 'f')), ...(await lab.counts('other', 'g'))];
    for (const [address, mine] of [
      ['10.1.0.10', 0],
      ['10.1.0.11', 1],
    ] as const) {
      const before = await counts();
      assert.equal(await lab.in('client', `curl -s -m 10 --interface ${address} http://10.2.0.10/two`), `you are ${address}\n`);
      const [f = 0, g = 0] = (await counts()).map((count, index) => count - (before[index] ?? 0));
      assert.deepEqual([f > 0, g > 0], [mine === 0, mine === 1], `${f} ${g}`);
      await untilLogged(new RegExp(` ${address.replaceAll('.', '\\.')} TCP_\\w+/200 \\d+ GET http://10\\.2\\.0\\.10/two `));
    }
  });

  test('goes on after it was restarted', async () => {
    await lab.run('echo restart > nf-types/proxy/p/action');
    await lab.until(async () => (await get('/restarted')) === 'you are 10.1.0.10\n200\n', 'the proxy answers');
    await untilLogged(/\/restarted /);
  });

  test('keeps nothing of a service chain that it has left', async () => {
    await lab.run('echo stop > chns/web/action; echo stop > chns/other/action');
    assert.equal(await lab.in('p', 'nft list tables; ip rule | grep -c 0x4', 'proxy'), 'table ip nfio_proxy\n0\n');
    assert.equal(await get('/plain'), 'you are 10.1.0.10\n200\n');
  });
});

describe('a proxy that is the way between two networks', { skip: why(), timeout: 360_000 }, () => {
  test('intercepts the ports that PROXY_PORTS names', async () => {
    await using lab = await ChainLab.start([]);
    await lab.in('server', `setsid python3 -c '${webServer}' </dev/null >/dev/null 2>&1 &`);
    await lab.in('server', `setsid python3 -c '${webServer.replace('80', '8080')}' </dev/null >/dev/null 2>&1 &`);
    await lab.run(`cd nf-types; mkdir -p proxy/p/ports/lan proxy/p/ports/wan
      echo lan > proxy/p/ports/lan/network; echo 10.1.0.2/24 > proxy/p/ports/lan/address
      echo wan > proxy/p/ports/wan/network; echo 10.2.0.2/24 > proxy/p/ports/wan/address
      printf 'sysctl.net.ipv4.ip_forward=1\nenv.PROXY_PORTS=8080\n' > proxy/p/config/boot.conf
      echo activate > proxy/p/action
      echo 10.1.0.2 > ../networks/lan/gateway; echo 10.2.0.2 > ../networks/wan/gateway`);
    await lab.until(
      async () => (await lab.in('client', 'curl -s -m 10 http://10.2.0.10/')) === 'you are 10.1.0.10\n',
      'the server answers',
    );
    assert.equal(await lab.in('client', 'curl -s -m 10 http://10.2.0.10:8080/kept'), 'you are 10.1.0.10\n');
    assert.match(
      await lab.run('cat nf-types/proxy/p/rfs/var/log/squid/access.log'),
      /^\S+ +\d+ 10\.1\.0\.10 TCP_MISS\/200 \d+ GET http:\/\/10\.2\.0\.10:8080\/kept .*\n$/,
    );
  });
});
