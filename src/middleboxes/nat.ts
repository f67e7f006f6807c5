import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { forwarding } from './forwarding.ts';
import { nftables } from './languages/nftables/language.ts';
import { vmProfile } from './vm-profile.ts';

const rules = `# Address translation, in the language of nft(8). Saving this file checks and loads it in one step.
# What leaves by the port named wan gets that port's address. Ports are interfaces by their own names.
# As a hop of the service chain web it leaves by web.out, which has the address of the port on the egress too: oifname "web.out" masquerade
table inet nat {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "wan" masquerade
	}
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		# iifname "wan" tcp dport 80 dnat ip to 10.1.0.10
	}
}
`;

export default defineMiddlebox({
  summary: 'Network address translation: masquerades what leaves by the port wan, in nftables',
  configuration: { language: nftables(), default: rules },
  sysctl: forwarding,
  translates: true,
  run: { netns: { requires: [{ program: 'nft', package: 'nftables' }] }, docker: containerProfile('nat'), libvirt: vmProfile },
});
