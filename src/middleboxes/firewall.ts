import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { forwarding } from './forwarding.ts';
import { nftables } from './languages/nftables/language.ts';
import { vmProfile } from './vm-profile.ts';

const rules = `# The rules of this firewall, in the language of nft(8). Saving this file checks and loads them in one step.
# Ports are interfaces by their own names: iifname "lan" oifname "wan".
table inet firewall {
	chain forward {
		type filter hook forward priority filter; policy accept;
		# ct state established,related accept
		# tcp dport 23 drop
		# iifname "wan" ip saddr 192.0.2.0/24 reject
	}
}
`;

export default defineMiddlebox({
  summary: 'Packet filter between networks: nftables rules, counted drops',
  configuration: { language: nftables(), default: rules },
  sysctl: forwarding,
  run: { netns: { requires: [{ program: 'nft', package: 'nftables' }] }, docker: containerProfile('firewall'), libvirt: vmProfile },
});
