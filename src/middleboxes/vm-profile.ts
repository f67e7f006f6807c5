import type { RunProfile } from '../domain/middlebox.ts';

/** Where `nfio images build --libvirt` puts the image that the built-in types run on as virtual machines. */
export const vnfImage = '/var/lib/nfio-images/libvirt/vnf';

/** How those of them run whose programs are in that image. */
export const vmProfile: RunProfile = { image: vnfImage };
