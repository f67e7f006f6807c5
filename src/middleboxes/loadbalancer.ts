import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { type CheckedProgram, programChecked, serviceCommand } from './languages/program-checked.ts';

/** Where the master process takes commands. */
const masterSocket = '/run/nfio/haproxy.sock';

/** Makes the directories of sockets that the configuration "$1" names, and the one haproxy shall be confined to: it makes none itself. */
const directories = `awk '$1 == "stats" && $2 == "socket" { print $3 } $1 == "bind" { print $2 } $1 == "chroot" { print $2 "/." }' "$1" |
  sed -n 's,^\\(unix@\\)\\{0\\,1\\}\\(/.*\\)/[^/]*$,\\2,p' | while read -r directory; do mkdir -p "$directory"; done
`;

/**
 * Tells the master to reload, and waits until it has: it hands the listening sockets to a new worker, and the one before lives until its
 * last connection ends. A worker that cannot start (an address that is not there) leaves the one before at work; the status is then 3.
 */
const reload = `
use strict;
use Socket;
sub ask {
  my ($path, $command) = @_;
  socket(my $master, PF_UNIX, SOCK_STREAM, 0) or return '';
  connect($master, sockaddr_un($path)) or return '';
  syswrite($master, "$command\\n");
  shutdown($master, 1);
  my $answer = '';
  while (sysread($master, my $part, 4096)) { $answer .= $part }
  return $answer;
}
# How many times it was reloaded, and how many of the last of these failed.
sub reloads { return ask($ARGV[0], 'show proc') =~ /^\\d+\\s+master\\s+(\\d+) \\[failed: (\\d+)\\]/m }
my ($reloads) = reloads() or exit 1;
ask($ARGV[0], 'reload');
for (1 .. 400) {
  my @now = reloads();
  if (@now && $now[0] > $reloads) {
    exit 0 if $now[1] == 0;
    print "it goes on as before. See why: tail log\\n";
    exit 3;
  }
  select(undef, undef, undef, 0.05);
}
print "it did not answer for 20 s\\n";
exit 3;
`;

const server: CheckedProgram = {
  name: 'haproxy',
  check: (path) => ['haproxy', '-c', '-f', path],
  run: (path) => ['/bin/sh', '-c', `${directories}exec haproxy -W -db -S ${masterSocket} -f "$1"`, 'nfio-haproxy', path],
  reload: (path) => ['/bin/sh', '-c', `${directories}exec perl -e "$2" ${masterSocket}`, 'nfio-reload', path, reload],
  complaint: /\[ALERT\] +\(\d+\) : config : (?:parsing \[(?<file>[^\]]*):(?<line>\d+)\] ?: )?(?<said>.*)$/m,
};

const text = `# The configuration of haproxy.cfg. Saving this file checks it and reloads; open connections stay.
# Name the servers below; "check" takes one that does not answer out of use, and until it is noticed another is asked after 2 s.
global
	user haproxy
	group haproxy
	maxconn 4096
	log stdout format raw local0 notice

defaults
	mode http
	log global
	option forwardfor
	option redispatch 1
	timeout connect 2s
	timeout client 60s
	timeout server 60s

frontend web
	bind 0.0.0.0:80
	bind :::80 v6only
	default_backend servers

backend servers
	balance roundrobin
	# server web-a 10.2.0.10:80 check
	# server web-b 10.2.0.11:80 check
`;

const command = serviceCommand(server);

export default defineMiddlebox({
  summary: 'Load balancer: haproxy, between any number of servers',
  configuration: { language: programChecked(server), default: text },
  run: { netns: { command, requires: [{ program: 'haproxy', package: 'haproxy' }] }, docker: containerProfile('loadbalancer', command) },
});
