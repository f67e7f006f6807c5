import { equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { acceptAll, dropAll, ForbiddenLab } from '../support/forbidden-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

const rounds = 40;

describe('a firewall that drops everything, while its rules are saved', { skip: whyNoGuests() ?? false, timeout: 400_000 }, () => {
  let lab: ForbiddenLab;

  before(async () => {
    lab = await ForbiddenLab.start();
    await lab.act('activate');
    await lab.run(`printf '%s\\n' '${dropAll}' > ${lab.mount.root}.rules`);
  });
  after(async () => {
    await lab.mount.sh(`rm -f ${lab.mount.root}.rules`);
    await lab[Symbol.asyncDispose]();
  });

  /** Runs a script in config/ again and again; `$rules` is a file with the rules. */
  const save = (script: string): Promise<string> =>
    lab.run(`rules=${lab.mount.root}.rules; cd ${lab.guard}/config; for i in $(seq ${rounds}); do ${script}; done`);

  it('lets nothing through when they are saved by cat, by a shell, or by mv', async () => {
    equal(await lab.answered(() => save('cat $rules > nf_conf')), 0);
    equal(await lab.answered(() => save('{ /bin/true; echo "$(<$rules)"; } > nf_conf')), 0);
    equal(await lab.answered(() => save('cp $rules next; mv next nf_conf')), 0);
  });

  it('lets nothing through when they are refused', async () => {
    equal(await lab.answered(() => save("echo 'table inet filter { nonsense }' > nf_conf")), 0);
    equal(await lab.answered(() => save('exec 3> nf_conf; /bin/true; cat $rules >&3; exec 3>&-')), 0);
  });

  it('lets nothing through when several save at once', async () => {
    await lab.run(`{ seq 2000 | sed 's/^/# /'; cat ${lab.mount.root}.rules; } > ${lab.mount.root}.long`);
    const edit = `import os; f = os.open("nf_conf", os.O_RDWR); os.ftruncate(f, 0); os.write(f, open(os.environ["rules"]).read().encode()); os.close(f)`;
    const ways = [
      'cat $rules > nf_conf',
      'cat $long > nf_conf',
      'dd if=$long of=nf_conf bs=512 status=none',
      'cp $long n$$; mv n$$ nf_conf',
      `python3 -c '${edit}'`,
    ];
    // Two that write at once may mix their texts; what cannot be parsed is refused.
    const loops = ways.map((way) => `(for i in $(seq ${rounds}); do ${way}; done 2>/dev/null) &`).join(' ');
    const script = `export rules=${lab.mount.root}.rules long=${lab.mount.root}.long; cd ${lab.guard}/config; ${loops} wait`;
    equal(await lab.answered(() => lab.run(script)), 0);
    await lab.run(`rm ${lab.mount.root}.long; cd ${lab.guard}/config; cmp -s nf_conf .applied/nf_conf || ! sync nf_conf`);
  });

  it('lets packets through as soon as it is told to, and by no other save before', async () => {
    await lab.run(`printf '%s\\n' '${acceptAll}' > ${lab.guard}/config/nf_conf`);
    ok((await lab.answered(() => lab.run('sleep 0.3'))) > 0);
  });
});
