import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* An ids sees what passes from the moment its activation returns, also at ports that it gets later. */

const webServer = `
import http.server
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "3"); self.end_headers(); self.wfile.write(b"ok\\n")
    def log_message(self, *rest): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Server).serve_forever()`;

/** A request that is an attack, which its number tells from others. */
const attack = (number: number): string => `http://10.2.0.10/?id=${number}%27%20UNION%20SELECT%20password%20FROM%20users--`;

function why(): string | false {
  for (const program of ['ulogd', 'ndpiReader', 'python3', 'curl']) {
    if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status !== 0) return `needs the program ${program}`;
  }
  return whyNoGuests() ?? false;
}

describe('an ids in a service chain', { skip: why(), timeout: 360_000 }, () => {
  let lab: ChainLab;
  const alerts = (name: string): Promise<string> => lab.run(`cat nf-types/ids/${name}/alerts`);
  const told = async (name: string, number: number): Promise<boolean> =>
    new RegExp(` flow: SQL Injection.* SRC=10\\.1\\.0\\.10 DST=10\\.2\\.0\\.10 .*id=${number}%27`).test(await alerts(name));
  const chainOf = (name: string): string => `mkdir chns/${name}; ln -s ../../nf-types/ids/${name} chns/${name}/${name}
    ln -s ${name} chns/${name}/start; echo lan > chns/${name}/ingress; echo wan > chns/${name}/egress`;

  before(async () => {
    lab = await ChainLab.start([]);
    await lab.in('server', `setsid python3 -c '${webServer}' </dev/null >/dev/null 2>&1 &`);
    await lab.until(async () => (await lab.in('client', 'curl -s -m 10 http://10.2.0.10/')) === 'ok\n', 'the server answers');
    await lab.run('mkdir nf-types/ids');
  });
  after(() => lab[Symbol.asyncDispose]());

  for (const verb of ['activate', 'restart', 'stop && echo start']) {
    test(`watches when ${verb} returns`, async () => {
      if (verb === 'activate') await lab.run('mkdir nf-types/ids/w');
      await lab.run(`echo ${verb.replace('&&', '> nf-types/ids/w/action;')} > nf-types/ids/w/action`);
      // Of all protocols (3), at all interfaces (0).
      assert.match(await lab.in('w', 'cat /proc/net/packet', 'ids'), /^\S+ +\d+ +\d +0003 +0 /m);
      assert.match(await lab.in('w', 'cat /proc/net/netfilter/nfnetlink_log', 'ids'), /^ *0 /m);
    });
  }

  for (const number of [1, 2, 3]) {
    test(`tells of the first request through a new service chain, number ${number}`, async () => {
      const name = `first-${number}`;
      await lab.run(`mkdir nf-types/ids/${name}; echo env.IDS_WINDOW=1 > nf-types/ids/${name}/config/boot.conf
        ${chainOf(name)}; echo activate > nf-types/ids/${name}/action; echo activate > chns/${name}/action
        echo 'curl -s -m 10 "${attack(number)}"' > nf-types/host/client/command; cat nf-types/host/client/command`);
      await lab.until(() => told(name, number), `an alert: ${await alerts(name)}`);
      await lab.run(`echo stop > chns/${name}/action; rm -r chns/${name}; echo destroy > nf-types/ids/${name}/action`);
    });
  }

  test('loses no request between two windows, and tells of none twice', async () => {
    await lab.run(`mkdir nf-types/ids/all; echo env.IDS_WINDOW=1 > nf-types/ids/all/config/boot.conf
      ${chainOf('all')}; echo activate > nf-types/ids/all/action; echo activate > chns/all/action`);
    const numbers = Array.from({ length: 40 }, (_, index) => 100 + index);
    const script = numbers.map((number) => `curl -s -m 10 -o /dev/null "${attack(number)}"; sleep 0.15`).join('\n');
    await lab.in('client', script);
    for (const number of numbers) await lab.until(() => told('all', number), `an alert of request ${number}`);
    const lines = (await alerts('all')).split('\n').filter((line) => line.includes('flow: SQL Injection'));
    assert.equal(lines.length, numbers.length, lines.join('\n'));
  });
});
