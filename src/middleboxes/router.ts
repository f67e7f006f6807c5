import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { forwarding } from './forwarding.ts';
import { routes } from './languages/routes/language.ts';
import { vmProfile } from './vm-profile.ts';

const text = `# Routes of this router besides those to its own networks, one a line as ip-route(8) takes them:
# 10.3.0.0/24 via 10.2.0.2
# default via 10.2.0.1 dev wan metric 10
# blackhole 192.0.2.0/24
`;

export default defineMiddlebox({
  summary: 'Router: passes packets between its ports by static routes',
  configuration: { language: routes(), default: text },
  sysctl: forwarding,
  run: { netns: { requires: [{ program: 'ip', package: 'iproute2' }] }, docker: containerProfile('router'), libvirt: vmProfile },
});
