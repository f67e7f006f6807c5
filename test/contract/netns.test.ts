import { NetnsWorld, whyNoGuests } from '../support/netns-world.ts';
import { describeHypervisor } from './hypervisor.ts';

describeHypervisor({
  name: 'netns',
  makeWorld: () => new NetnsWorld(),
  kill: (id) => process.kill(Number(id), 'SIGKILL'),
  skip: whyNoGuests(),
});
