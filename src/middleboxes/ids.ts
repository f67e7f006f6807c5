import { defineMiddlebox, type HookInstance } from '../domain/middlebox.ts';
import { NfioError } from '../errors/index.ts';
import { containerProfile } from './container-profile.ts';
import { forwarding } from './forwarding.ts';
import { countAlerts, newestAlerts, sensorCommand } from './ids/sensor.ts';
import { signatures } from './ids/signatures.ts';

const rules = `# Signatures, in the language of nft(8): what a rule logs is an alert. Saving this file checks and loads them in one step.
# Flows are examined as well (nDPI): attacks in requests, protocols where they do not belong, weak encryption.
table inet ids {
	set scanners {
		type ipv4_addr
		size 65535
		flags dynamic
		timeout 1m
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state new update @scanners { ip saddr limit rate over 20/second burst 20 packets } limit rate 1/second log prefix "scan: "
		tcp flags & (fin | syn | rst | ack | psh | urg) == 0x0 limit rate 1/second log prefix "null scan: "
		tcp flags & (fin | syn | rst | ack | psh | urg) == fin | psh | urg limit rate 1/second log prefix "xmas scan: "
		tcp dport 23 ct state new log prefix "telnet: "
		# ip saddr 192.0.2.0/24 log prefix "listed: " drop
	}
}
`;

async function printed(instance: HookInstance, script: string): Promise<string> {
  try {
    return (await instance.execute({ argv: ['/bin/sh', '-c', script] })).stdout;
  } catch (error) {
    if (error instanceof NfioError && (error.code === 'VNFNotRunningError' || error.code === 'VNFNotFoundError')) return '';
    throw error;
  }
}

export default defineMiddlebox({
  summary: 'Intrusion detection: tells of signatures (nftables) and of risky flows (nDPI) between its ports',
  configuration: { language: signatures(), default: rules },
  sysctl: forwarding,
  run: {
    netns: {
      command: sensorCommand,
      requires: [
        { program: 'nft', package: 'nftables' },
        { program: 'ulogd', package: 'ulogd2' },
        { program: 'ndpiReader', package: 'libndpi-bin' },
      ],
    },
    docker: containerProfile('ids', sensorCommand),
  },
  files: [
    { path: 'alerts', mode: 0o444, read: (instance) => printed(instance, newestAlerts) },
    { path: 'stats/alerts', mode: 0o444, read: (instance) => printed(instance, countAlerts) },
  ],
});
