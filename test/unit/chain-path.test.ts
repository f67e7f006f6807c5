import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withHopCutOut } from '../../src/domain/chains/chain-edits.ts';
import { ChainReader, type ChainSurroundings } from '../../src/domain/chains/chain-path.ts';
import { hopOfTarget, instanceOfTarget } from '../../src/domain/chains/link-target.ts';
import { pathText, type ShownHop } from '../../src/domain/chains/path-text.ts';
import type { ChainRecord } from '../../src/domain/records.ts';
import { chain, network, vnf } from '../support/records.ts';

const networks = [
  network('lan', { subnet: '10.1.0.0/24' }),
  network('wan', { subnet: '10.2.0.0/24' }),
  network('bare', {}),
  network('v6', { subnet: 'fd00::/64' }),
];
const vnfs = [vnf(101, { type: 'firewall' }), vnf(102, { type: 'firewall' }), vnf(103, { type: 'ids' })];

const around: ChainSurroundings = {
  mountpoint: '/nfio',
  vnf: (type, name) => vnfs.find((each) => each.type === type && each.name === name),
  network: (name) => networks.find((each) => each.name === name),
};

const ends = { ingress: 'lan', egress: 'wan' };
const fw = { fw: { firewall101: '/nfio/nf-types/firewall/firewall101' } };
const second = { ids: { ids103: '../../../nf-types/ids/ids103' } };

function read(record: ChainRecord): { readonly path: string[] } | { readonly errno: string; readonly message: string } {
  try {
    return { path: new ChainReader(record, around).read().hops.map(({ hop }) => hop.name) };
  } catch (error) {
    const { errnoName, message } = error as { errnoName: string; message: string };
    return { errno: errnoName, message };
  }
}

describe('a service chain', () => {
  test('is read from its start, through its hops, whatever order they were made in', () => {
    const hops = { ids: { ...second.ids }, fw: { ...fw.fw, next: '../ids' } };
    assert.deepEqual(read(chain('web', { settings: ends, start: 'fw', hops })), { path: ['fw', 'ids'] });
    const absolute = { ids: { ...second.ids }, fw: { ...fw.fw, next: '/nfio/chns/web/ids/' } };
    assert.deepEqual(read(chain('web', { settings: ends, start: './fw', hops: absolute })), { path: ['fw', 'ids'] });
  });

  const wrong: Readonly<Record<string, [Parameters<typeof chain>[1], string, RegExp]>> = {
    'no ingress': [{ settings: { egress: 'wan' }, start: 'fw', hops: fw }, 'EINVAL', /^there is no ingress/],
    'a network that is not there': [
      { settings: { ...ends, egress: 'dmz' }, start: 'fw', hops: fw },
      'ENOENT',
      /^the egress dmz is no network/,
    ],
    'a network without subnet': [{ settings: { ...ends, egress: 'bare' }, start: 'fw', hops: fw }, 'EINVAL', /bare has no subnet/],
    'networks of two versions of IP': [
      { settings: { ...ends, egress: 'v6' }, start: 'fw', hops: fw },
      'EINVAL',
      /^lan has 10\.1\.0\.0\/24 and v6 has fd00::\/64: give both/,
    ],
    'one network twice': [{ settings: { ingress: 'lan', egress: 'lan' }, start: 'fw', hops: fw }, 'EINVAL', /both lan/],
    'no start': [{ settings: ends, hops: fw }, 'EINVAL', /^there is no start\. Run, in the chain: ln -s HOP start$/],
    'a start that leads nowhere': [{ settings: ends, start: 'x', hops: fw }, 'ENOENT', /^start leads to x, which is no hop/],
    'a start in another chain': [{ settings: ends, start: '../dns/fw', hops: fw }, 'ENOENT', /^start leads to \.\.\/dns\/fw/],
    'a next that leads nowhere': [
      { settings: ends, start: 'fw', hops: { fw: { ...fw.fw, next: '../x' } } },
      'ENOENT',
      /^fw\/next leads to \.\.\/x/,
    ],
    'a loop': [
      { settings: ends, start: 'fw', hops: { fw: { ...fw.fw, next: '../ids' }, ids: { ...second.ids, next: '../fw' } } },
      'ELOOP',
      /^fw comes again after ids/,
    ],
    'two starts': [{ settings: ends, start: 'fw', hops: { ...fw, ...second } }, 'EINVAL', /^nothing leads to hop ids: .* two starts/],
    'a hop that is not reached': [
      { settings: ends, start: 'fw', hops: { ...fw, ids: { ...second.ids, next: '../ids' } } },
      'EINVAL',
      /^hop ids is not reached from start/,
    ],
    'a hop without instance': [{ settings: ends, start: 'fw', hops: { fw: {} } }, 'ENOENT', /^hop fw has no instance/],
    'a link to no instance': [
      { settings: ends, start: 'fw', hops: { fw: { gone: '/nfio/nf-types/firewall/gone' } } },
      'ENOENT',
      /^hop fw: gone leads to \/nfio\/nf-types\/firewall\/gone, which is no instance$/,
    ],
    'a link out of the mount': [
      { settings: ends, start: 'fw', hops: { fw: { firewall101: '/other/nf-types/firewall/firewall101' } } },
      'ENOENT',
      /which is no instance$/,
    ],
    'an instance twice': [
      { settings: ends, start: 'fw', hops: { fw: { ...fw.fw, next: '../again' }, again: { ...fw.fw } } },
      'EINVAL',
      /^nf-types\/firewall\/firewall101 is in hop fw and again in hop again/,
    ],
    'two types in a hop': [
      { settings: ends, start: 'fw', hops: { fw: { ...fw.fw, ...second.ids } } },
      'EINVAL',
      /two types, firewall and ids/,
    ],
  };
  for (const [what, [parts, errno, message]] of Object.entries(wrong)) {
    test(`with ${what} is refused, naming it`, () => {
      const result = read(chain('web', parts));
      assert.ok('errno' in result);
      assert.equal(result.errno, errno);
      assert.match(result.message, message);
    });
  }

  test('hops that nothing leads to can be left out', () => {
    const reader = new ChainReader(chain('web', { settings: ends, start: 'fw', hops: { ...fw, ...second } }), around);
    assert.deepEqual(
      reader.read('left out').hops.map(({ hop }) => hop.name),
      ['fw'],
    );
  });

  test('is shown as a path, with what is not known yet', () => {
    const hop = (...instances: readonly string[]): ShownHop => ({ instances, mirror: false });
    const mirror: ShownHop = { instances: ['ids'], mirror: true };
    assert.equal(
      pathText({ ingress: 'lan', egress: 'wan' }, [mirror, hop('fw'), mirror, mirror]),
      'lan (copies to ids) → fw (copies to ids) (copies to ids) → wan',
    );
    assert.equal(pathText({ ingress: 'lan', egress: '' }, [hop('fw-a'), hop(), hop('a', 'b')]), 'lan → fw-a → ? → {a,b} → ?');
  });
});

describe('a hop that is cut out', () => {
  const cut = (hops: NonNullable<Parameters<typeof chain>[1]['hops']>, start: string, name: string): ChainRecord => {
    const before = chain('web', { settings: ends, start, hops });
    const hop = before.hops.find((each) => each.name === name);
    assert.ok(hop);
    const reader = new ChainReader(before, around);
    return withHopCutOut(before, hop, {
      next: hop.links.find((link) => link.name === 'next')?.target,
      leadsTo: (link, directory) =>
        reader.leadsTo(
          link,
          before.hops.find(({ serial }) => serial === directory.hop),
          hop,
        ),
    });
  };
  const next = (record: ChainRecord, hop: string): string | undefined =>
    record.hops.find(({ name }) => name === hop)?.links.find(({ name }) => name === 'next')?.target;
  const three = { a: { next: '../b' }, b: { next: '../c' }, c: {} };

  test('joins the hops around it', () => assert.equal(next(cut(three, 'a', 'b'), 'a'), '../c'));
  test('leaves an end where it was the last', () => assert.equal(next(cut(three, 'a', 'c'), 'b'), undefined));
  test('moves start where it was the first', () => assert.equal(cut(three, 'a', 'a').links[0]?.target, 'b'));
});

describe('the text of a link', () => {
  const place = { directory: 'chns/web/fw', mountpoint: '/nfio' };
  for (const [text, found] of [
    ['/nfio/nf-types/firewall/a', 'firewall/a'],
    ['/nfio//nf-types/./firewall/a/', 'firewall/a'],
    ['../../../nf-types/firewall/a', 'firewall/a'],
    ['/nfio/nf-types/firewall', undefined],
    ['/nfio/nf-types/firewall/a/config', undefined],
    ['/nfiox/nf-types/firewall/a', undefined],
    ['../../../../nf-types/firewall/a', undefined],
    ['', undefined],
  ] as const) {
    test(`"${text}" leads to ${found ?? 'no instance'}`, () => {
      const instance = instanceOfTarget(text, place);
      assert.equal(instance && `${instance.type}/${instance.name}`, found);
    });
  }
  test('leads to hops of its own chain only', () => {
    assert.equal(hopOfTarget('../ids', 'web', place), 'ids');
    assert.equal(hopOfTarget('../../dns/ids', 'web', place), undefined);
    assert.equal(hopOfTarget('../ids/next', 'web', place), undefined);
  });
});
