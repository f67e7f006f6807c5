/** What a path shows: the content of a file without its last newline, `-> TARGET` of a link, `uid N` of `owner of PATH`; undefined: it is not there. */
export type Facts = Readonly<Record<string, string | undefined>>;

/** One operation of a user, and what is true, whatever happens to the power, from its return on. */
export interface Step {
  /** For bash, in the mountpoint; `kill` and `remount` are done to the server and to the mount. */
  readonly script: string;
  readonly facts: Facts;
  /** It is done whole or not at all. */
  readonly atomic?: boolean;
}

/**
 * A life of some objects: made, filled, set, renamed, linked, removed, with the death of a server and a new mount in between. mkdir confirms nothing by
 * itself: what follows it does.
 */
export function workload(rounds: number, firewallRules: string): readonly Step[] {
  return [
    { script: 'mkdir nf-types/host nf-types/firewall', facts: {} },
    ...Array.from({ length: rounds }, (_, index) => [...round(index + 1, firewallRules), ...interruption(index)]).flat(),
  ];
}

/** After each round something else: nothing, a kill, a new mount. */
function interruption(index: number): readonly Step[] {
  const script = ['kill', 'remount', undefined][index % 3];
  return script === undefined ? [] : [{ script, facts: {} }];
}

function round(n: number, firewallRules: string): readonly Step[] {
  const [old, vnf, before] = [`nf-types/host/a${n}`, `nf-types/host/b${n}`, `nf-types/host/b${n - 1}`];
  const [firewall, net, chain] = [`nf-types/firewall/f${n}`, `networks/n${n}`, `chns/c${n}`];
  const files = ['', '/config/file', '/config/link', '/machine/vm.memory', '/ports/p/network'];
  const gone = Object.fromEntries([...files.map((file) => `${before}${file}`), `owner of ${before}`].map((path) => [path, undefined]));
  return [
    { script: `mkdir ${old}`, facts: {} },
    { script: `echo first > ${old}/config/file; sync ${old}/config/file`, facts: { [`${old}/config/file`]: 'first' } },
    {
      script: `mv ${old} ${vnf}`,
      facts: { [old]: undefined, [`${old}/config/file`]: undefined, [`${vnf}/config/file`]: 'first' },
      atomic: true,
    },
    { script: `echo 64M > ${vnf}/machine/vm.memory`, facts: { [`${vnf}/machine/vm.memory`]: '67108864' }, atomic: true },
    { script: `echo ${n}G > ${vnf}/machine/vm.memory`, facts: { [`${vnf}/machine/vm.memory`]: String(n * 2 ** 30) }, atomic: true },
    { script: `mkdir ${firewall}; sync nf-types`, facts: { [`${firewall}/config/nf_conf`]: firewallRules } },
    { script: `mkdir ${net}; echo 10.${n}.0.0/24 > ${net}/subnet`, facts: { [`${net}/subnet`]: `10.${n}.0.0/24` } },
    { script: `mkdir ${vnf}/ports/p; echo n${n} > ${vnf}/ports/p/network`, facts: { [`${vnf}/ports/p/network`]: `n${n}` } },
    {
      script: `echo second > ${vnf}/config/.new; sync ${vnf}/config/.new; mv ${vnf}/config/.new ${vnf}/config/file; sync ${vnf}/config`,
      facts: { [`${vnf}/config/file`]: 'second' },
      atomic: true,
    },
    { script: `ln -s file ${vnf}/config/link; sync ${vnf}/config`, facts: { [`${vnf}/config/link`]: '-> file' }, atomic: true },
    { script: `chown 1000 ${vnf}`, facts: { [`owner of ${vnf}`]: 'uid 1000' }, atomic: true },
    { script: `mkdir ${chain}; ln -s ../../${firewall} ${chain}/hop`, facts: { [`${chain}/hop/f${n}`]: `-> ../../../${firewall}` } },
    { script: `ln -s hop ${chain}/start`, facts: { [`${chain}/start`]: '-> hop' }, atomic: true },
    { script: `mv ${chain} ${chain}-moved`, facts: moved(chain, firewall, n), atomic: true },
    ...(n === 1 ? [] : [{ script: `rmdir ${before}`, facts: gone, atomic: true }]),
  ];
}

function moved(chain: string, firewall: string, n: number): Facts {
  const links = { start: '-> hop', [`hop/f${n}`]: `-> ../../../${firewall}` };
  return Object.fromEntries(
    Object.entries(links).flatMap(([name, link]) => [
      [`${chain}/${name}`, undefined],
      [`${chain}-moved/${name}`, link],
    ]),
  );
}
