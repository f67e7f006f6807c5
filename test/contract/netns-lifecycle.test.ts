import { NetnsWorld, whyNoGuests } from '../support/netns-world.ts';
import { describeLifecycle } from './lifecycle.ts';

describeLifecycle({
  name: 'netns',
  makeWorld: () => new NetnsWorld(),
  kill: (id) => process.kill(Number(id), 'SIGKILL'),
  skip: whyNoGuests(),
});
