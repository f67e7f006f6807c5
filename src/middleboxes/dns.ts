import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { type CheckedProgram, programChecked, serviceCommand } from './languages/program-checked.ts';

const control = '/run/nfio/unbound.sock';

/** What unbound itself finds, and a control socket that is off: a reload would wait for it in vain. */
const check = `
unbound-checkconf "$1" || exit
[ "$(unbound-checkconf -o control-enable "$1")" = yes ] && exit
echo 'nf.io reloads unbound by its control socket, and that is off. Add a section remote-control: with control-enable: yes, control-interface: ${control} and control-use-cert: no'
exit 1`;

const server: CheckedProgram = {
  name: 'unbound',
  check: (path) => ['/bin/sh', '-c', check, 'nfio-check', path],
  run: (path) => ['unbound', '-d', '-c', path],
  reload: (path) => ['unbound-control', '-c', path, 'reload'],
  complaint: [/^(?<file>\S+):(?<line>\d+): error: (?<said>.*)$/m, /^(?<said>nf\.io .*)$/m],
};

const text = `# The configuration of unbound.conf(5). Saving this file checks it and reloads.
server:
	interface: 0.0.0.0
	interface: ::0
	access-control: 0.0.0.0/0 allow
	access-control: ::/0 allow
	username: ""
	chroot: ""
	directory: "/run/nfio"
	pidfile: ""
	use-syslog: no
	verbosity: 1

	local-zone: "nfio.test." static
	local-data: "www.nfio.test. 60 IN A 192.0.2.80"
	local-data: "www.nfio.test. 60 IN AAAA 2001:db8::80"

# What is in no zone above is asked of another server:
# forward-zone:
#	name: "."
#	forward-addr: 10.2.0.53

# nf.io reloads by this socket; without it a save is refused.
remote-control:
	control-enable: yes
	control-interface: ${control}
	control-use-cert: no
`;

const command = serviceCommand(server);

export default defineMiddlebox({
  summary: 'Domain name server: unbound, with a local zone',
  configuration: { language: programChecked(server), default: text },
  run: { netns: { command, requires: [{ program: 'unbound', package: 'unbound' }] }, docker: containerProfile('dns', command) },
});
