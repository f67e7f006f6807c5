import { equal, match } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ForbiddenLab } from '../support/forbidden-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/** Moments of a start at which the server is killed, milliseconds. */
const moments = [10, 25, 40, 60, 90];

describe('a firewall that drops everything, when the server dies', { skip: whyNoGuests() ?? false, timeout: 400_000 }, () => {
  let lab: ForbiddenLab;

  before(async () => {
    lab = await ForbiddenLab.start();
    await lab.act('activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Servers that end one after the other, each soon, would be taken for broken. */
  const recovered = (): Promise<void> => delay(3500);
  const killServer = async (): Promise<void> => {
    process.kill(await lab.mount.server(), 'SIGKILL');
  };
  const rules = (): Promise<string> => lab.run(`echo 'nft list ruleset' > ${lab.guard}/command; cat ${lab.guard}/command`);

  it('lets nothing through while it is started, and is configured in the end', async () => {
    for (const moment of moments) {
      await recovered();
      await lab.act('stop');
      const answers = await lab.answered(async () => {
        const starting = lab.mount.sh(`echo start > ${lab.guard}/action`);
        await delay(moment);
        await killServer();
        await starting;
        await lab.run(`[ "$(cat ${lab.guard}/status)" = running ] || echo start > ${lab.guard}/action`);
      });
      equal(answers, 0, `after ${moment} ms`);
      match(await rules(), /policy drop/, `after ${moment} ms`);
    }
  });

  it('lets nothing through when who asked for the start dies too: the next server finishes it, or there is no guest', async () => {
    for (const moment of moments) {
      await recovered();
      await lab.act('stop');
      const answers = await lab.answered(async () => {
        const starting = lab.mount.sh(`echo start > ${lab.guard}/action & sleep 0.0${String(moment).padStart(2, '0')}
          kill -KILL ${await lab.mount.server()} $!; wait`);
        await starting;
        await delay(300);
      });
      equal(answers, 0, `after ${moment} ms`);
      const state = (await lab.run(`cat ${lab.guard}/status`)).trim();
      if (state === 'running') match(await rules(), /policy drop/, `after ${moment} ms`);
      else await lab.act('start');
    }
  });
});
