import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { type CheckedProgram, programChecked, serviceCommand } from './languages/program-checked.ts';

const server: CheckedProgram = {
  name: 'nginx',
  check: (path) => ['nginx', '-t', '-q', '-c', path],
  run: (path) => ['nginx', '-c', path, '-g', 'daemon off;'],
  reload: (path) => ['nginx', '-c', path, '-s', 'reload'],
  complaint: /\[\w+\] (?:\d+#\d+: )?(?<said>.*) in (?<file>\S+):(?<line>\d+)$/m,
};

const text = `# The configuration of nginx(8). Saving this file checks it and reloads; open connections stay.
# Files beside it can be named without a directory: include more.conf.
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr;

events {
	worker_connections 1024;
}

http {
	access_log off;
	default_type text/plain;
	server {
		listen 80 default_server;
		listen [::]:80 default_server;
		location / {
			return 200 "This is $hostname, served by nginx\\n";
		}
	}
}
`;

const command = serviceCommand(server);

export default defineMiddlebox({
  summary: 'Web server or reverse proxy: nginx',
  configuration: { language: programChecked(server), default: text },
  run: { netns: { command, requires: [{ program: 'nginx', package: 'nginx-light' }] }, docker: containerProfile('nginx', command) },
});
