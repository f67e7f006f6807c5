import { defineMiddlebox } from '../domain/middlebox.ts';
import { containerProfile } from './container-profile.ts';
import { vmProfile } from './vm-profile.ts';

/** Has no nf_conf: a host's routes follow from its ports' addresses and the gateways of their networks. */
export default defineMiddlebox({
  summary: 'Endpoint: a client or server in a namespace of its own',
  run: { netns: {}, docker: containerProfile('host'), libvirt: vmProfile },
});
