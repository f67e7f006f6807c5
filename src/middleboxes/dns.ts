import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { type CheckedProgram, programChecked, serviceCommand } from './languages/program-checked.ts';

const server: CheckedProgram = {
  name: 'unbound',
  check: (path) => ['unbound-checkconf', path],
  run: (path) => ['unbound', '-d', '-c', path],
  reload: (path) => ['unbound-control', '-c', path, 'reload'],
  complaint: /^\S+:(?<line>\d+): error: (?<said>.*)$/m,
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
	control-interface: /run/nfio/unbound.sock
	control-use-cert: no
`;

const command = serviceCommand(server);

export default defineMiddlebox({
  summary: 'Domain name server: unbound, with a local zone',
  configuration: { language: programChecked(server), default: text },
  run: { netns: { command, requires: [{ program: 'unbound', package: 'unbound' }] }, docker: containerProfile('dns', command) },
});
