import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { type CheckedProgram, programChecked, serviceCommand } from './languages/program-checked.ts';
import { interception } from './proxy/interception.ts';

/**
 * A shell function that makes what the `cache_dir` lines of a squid.conf name: squid does not run without. It is made by a squid that leaves alone the
 * process number of the one at work.
 */
const caches = `
make_caches() {
  directories=$(awk '$1 == "cache_dir" { print $3 }' "$1")
  [ -n "$directories" ] || return 0
  user=$(awk '$1 == "cache_effective_user" { user = $2 } END { print user }' "$1")
  for directory in $directories; do
    [ -d "$directory" ] || { mkdir -p "$directory" && chown "\${user:-proxy}:" "$directory"; }
  done
  { cat "$1"; echo 'pid_filename none'; } > /run/nfio.caches
  said=$(squid -N -z -d 1 -f /run/nfio.caches 2>&1) || { echo "$said" >&2; echo "$said" | sed -n 's/.*| FATAL: //p'; return 1; }
}`;

const run = `${interception}${caches}
make_caches "$1" || exit 1
choose_ports; intercept "$1"
exec squid -N -d 1 -f "$1"`;

/**
 * Reconfigures, and waits until it has: squid closes its listening sockets and opens others, and one that is told twice in between ends. An
 * address that is not there ends it, too; the status is then 3.
 */
const reload = `${interception}${caches}
listening() { awk '$4 == "0A" { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
before=$(listening); [ -n "$before" ] || exit 1
made=$(make_caches "$1" 2>/dev/null) || { echo "cache_dir: $made"; exit 3; }
squid -k reconfigure -f "$1" || exit 1
end=$(($(date +%s) + 20))
while [ "$(date +%s)" -lt $end ]; do
  now=$(listening)
  [ -z "$now" ] || echo "$now" | grep -qxF "$before" || { intercept "$1"; exit 0; }
  squid -k check -f "$1" 2>/dev/null || { echo 'it ended. See why: tail log'; exit 3; }
  sleep 0.05
done
echo 'it did not open its ports for 20 s'
exit 3`;

/** Where squid notes its process number. */
const pidFile = '/run/nfio/squid.pid';

/**
 * What squid itself finds; a process number that is noted where nobody looks for it; and an address to listen at that there is not, told as squid would: on it
 * squid would end.
 */
const check = `
squid -k parse -f "$1" || exit
# What is included may name it as well.
[ "$(awk '$1 == "include" { path = "${pidFile}" } $1 == "pid_filename" { path = $2 } END { print path }' "$1")" = ${pidFile} ] || {
  echo 'nf.io reconfigures squid by its process number: add the line pid_filename ${pidFile}'
  exit 1
}
awk '$1 ~ /^https?_port$/ && $2 ~ /:/ { sub(/:[^:]*$/, "", $2); gsub(/[][]/, "", $2); print NR, $2 }' "$1" | while read -r line address; do
  case $address in 0.0.0.0 | ::) continue ;; *[!0-9a-fA-F.:]*) continue ;; esac
  [ -z "$(ip -o address show to "$address")" ] || continue
  echo "now | $1($line): no port of this VNF has the address $address"
  exit 1
done`;

const server: CheckedProgram = {
  name: 'squid',
  check: (path) => ['/bin/sh', '-c', check, 'nfio-check', path],
  run: (path) => ['/bin/sh', '-c', run, 'nfio-proxy', path],
  reload: (path) => ['/bin/sh', '-c', reload, 'nfio-reload', path],
  complaint: [
    /^(?<said>nf\.io .*)$/m,
    // A directive that there is not is told with its line, anything else with a reason first.
    /^\S+ \S*\| (?<file>\S+)\((?<line>\d+)\): (?<said>unrecognized: .*|no port .*)$/m,
    /^\S+ \S+\| Processing: .*\n\S+ \S+\| (?!Processing: )(?:FATAL: |ERROR: )?(?<said>.*)\n(?:(?!\S+ \S+\| Processing: ).*\n)*?.*\| FATAL: Bungled (?<file>\S+) line (?<line>\d+): /m,
    /\| FATAL: Bungled (?<file>\S+) line (?<line>\d+): (?<said>.*)$/m,
    /\| FATAL: (?<said>.*)$/m,
  ],
};

const text = `# The configuration of squid.conf. Saving this file checks it and reconfigures; open connections stay.
http_port 3128

# What passes through to port 80, as in a service chain, goes to this one: clients and servers see each other's addresses. Without it they are not proxied.
http_port 3129 tproxy

acl localnet src 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fe80::/10
acl Safe_ports port 80 443 1025-65535
acl SSL_ports port 443
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access deny to_localhost
http_access allow localnet
http_access deny all

# A cache in memory only. With cache_dir there is one on disk, below rfs/.
cache_mem 64 MB

# tail -f rfs/var/log/squid/access.log
access_log stdio:/var/log/squid/access.log
cache_log /dev/null

# Names are asked of the servers that dns= in boot.conf gives, or of these:
# dns_nameservers 10.2.0.53

# An intercepted request waits until its host's name is looked up, or until this long has passed.
dns_timeout 3 seconds
dns_retransmit_interval 1 second

# Without it squid asks for its own name, and waits where nobody answers.
visible_hostname proxy

# nf.io reconfigures by this file.
pid_filename ${pidFile}
pinger_enable off
shutdown_lifetime 1 second
`;

const command = serviceCommand(server);

export default defineMiddlebox({
  summary: 'Web proxy with a cache: squid',
  configuration: { language: programChecked(server), default: text },
  // A connection in the name of a server has the mark of the client's packet, and so finds its way back.
  sysctl: { 'net.ipv4.tcp_fwmark_accept': '1' },
  intercepts: true,
  run: { netns: { command, requires: [{ program: 'squid', package: 'squid' }] }, docker: containerProfile('proxy', command) },
});
