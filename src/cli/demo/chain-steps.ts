import type { RequiredProgram } from '../../domain/ports/hypervisor.ts';
import { builtInModules } from '../../middleboxes/built-in.ts';
import { atLeast, contains, empty, equals, inside, matches, type Step } from './step.ts';

/** Programs that these steps need, besides those that nf.io always does: what VNFs run, and the client's. */
export async function chainPrograms(): Promise<readonly RequiredProgram[]> {
  const modules = await Promise.all(['ids', 'proxy', 'nginx'].map((type) => builtInModules[type]?.()));
  const ofModules = modules.flatMap((module) => module?.default.run?.netns?.requires ?? []);
  return [...ofModules, { program: 'curl', package: 'curl' }];
}

/** A service chain, from the client by the firewall, an ids and a proxy to a web server; with the commands of the original's demonstration. */
export const chainSteps: readonly Step[] = [
  {
    ...inside,
    title: 'A web server, an ids that tells every second, and a proxy',
    shell: `cd nf-types; mkdir -p nginx/web/ports/eth0 ids/ids-a proxy/p
echo wan > nginx/web/ports/eth0/network; echo 10.2.0.80/24 > nginx/web/ports/eth0/address
sed -i 's/served by nginx/& to $remote_addr/' nginx/web/config/nf_conf
echo env.IDS_WINDOW=1 > ids/ids-a/config/boot.conf
for v in nginx/web ids/ids-a proxy/p; do echo activate > $v/action & done; wait
cat nginx/web/status ids/ids-a/status proxy/p/status`,
    check: equals('running\nrunning\nrunning\n'),
  },
  {
    ...inside,
    title: 'A service chain: what goes to port 80 passes the firewall, the ids and the proxy',
    shell: `nfio=$PWD; mkdir chns/web && cd chns/web
ln -s $nfio/nf-types/firewall/fw-a fw; ln -s $nfio/nf-types/ids/ids-a ids; ln -s $nfio/nf-types/proxy/p px
ln -s fw start; ln -s ../ids fw/next; ln -s ../px ids/next
echo lan > ingress; echo wan > egress; echo 'tcp dport 80' > match
echo activate > action; cat status path
echo 1 > verify; head -n 1 verify`,
    check: equals('active\nlan → fw-a → ids-a → p → wan\nok\n'),
  },
  {
    ...inside,
    title: 'A page, through all three: the server sees the address of the client, and the proxy has the request in its log',
    shell: `echo 'curl -s -m 5 http://10.2.0.80/page' > nf-types/host/client/command && cat nf-types/host/client/command
until grep /page nf-types/proxy/p/rfs/var/log/squid/access.log; do sleep 0.1; done`,
    check: contains('This is web, served by nginx to 10.1.0.10\n', ' 10.1.0.10 TCP_MISS/200 ', ' GET http://10.2.0.80/page '),
  },
  {
    ...inside,
    title: 'The proxy refuses what its configuration denies from now on',
    shell: `sed -i '/^http_access deny to_localhost/i acl secret urlpath_regex ^/secret\\nhttp_access deny secret' nf-types/proxy/p/config/nf_conf
echo 'for page in secret page; do curl -s -m 5 -o /dev/null -w "%{http_code}\\n" http://10.2.0.80/$page; done' > nf-types/host/client/command
cat nf-types/host/client/command`,
    check: equals('403\n200\n'),
  },
  {
    ...inside,
    title: 'The ids tells of a scan by its signatures, and of an attack in a request',
    shell: `echo "bash -c 'for i in {1..100}; do : < /dev/tcp/10.2.0.80/80; done'" > nf-types/host/client/command
echo 'curl -s -m 5 "http://10.2.0.80/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--"' > nf-types/host/client/command
until grep -q flow: nf-types/ids/ids-a/alerts; do sleep 0.1; done; cat nf-types/ids/ids-a/alerts`,
    check: matches(/ ids-a scan: .* SRC=10\.1\.0\.10 DST=10\.2\.0\.80 /, / ids-a flow: SQL Injection.* SRC=10\.1\.0\.10 DST=10\.2\.0\.80 /),
  },
  {
    ...inside,
    title: 'All drops of the service chain, with find: the pings and the telnet of before',
    shell: `find -L chns/web -name pkt_drops ! -path "*/next/*" ! -path "*/start/*" | xargs cat | awk '{total += $1} END {print total}'`,
    check: atLeast([3]),
  },
  {
    ...inside,
    title: 'Who has an address, and which service chains a firewall is in',
    shell: `grep -R '10.2.0.80' nf-types --include=address
find chns -lname "$PWD/nf-types/firewall/fw-a"`,
    check: equals('nf-types/nginx/web/ports/eth0/address:10.2.0.80/24\nchns/web/fw/fw-a\n'),
  },
  {
    ...inside,
    title: 'Take the ids out while it is steered, and see which way a connection goes',
    shell: `ln -sfn ../px chns/web/fw/next; cat chns/web/path
echo tcp 10.1.0.10 10.2.0.80:80 > chns/web/trace
echo 'curl -s -m 5 http://10.2.0.80/traced' > nf-types/host/client/command; cat chns/web/trace`,
    check: matches(/lan → fw-a → p → wan\n/, /^fw: \d+ in, \d+ out/m, /^px: \d+ in, \d+ out/m),
  },
  {
    ...inside,
    title: 'Remove the service chain',
    shell: 'echo stop > chns/web/action; rm -r chns/web; ls chns',
    check: empty,
  },
];
