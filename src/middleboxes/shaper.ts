import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { forwarding } from './forwarding.ts';
import { trafficControl } from './languages/tc/language.ts';
import { vmProfile } from './vm-profile.ts';

const text = `# Shapes what leaves by each port: commands of tc(8), one a line, without "tc". Ports are devices by their own names.
# qdisc add dev wan root tbf rate 10mbit burst 32kbit latency 50ms
`;

export default defineMiddlebox({
  summary: 'Traffic shaper: passes packets between its ports through queues, in tc syntax',
  configuration: { language: trafficControl(), default: text },
  sysctl: forwarding,
  run: { netns: { requires: [{ program: 'tc', package: 'iproute2' }] }, docker: containerProfile('shaper'), libvirt: vmProfile },
});
