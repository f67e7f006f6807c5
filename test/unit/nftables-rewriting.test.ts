import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countDrops } from '../../src/middleboxes/languages/nftables/count-drops.ts';
import { withProtocolNames } from '../../src/middleboxes/languages/nftables/normalise.ts';
import { removalOf } from '../../src/middleboxes/languages/nftables/removal.ts';
import { tokenize } from '../../src/middleboxes/languages/nftables/tokens.ts';
import { checkUntrusted } from '../../src/middleboxes/languages/nftables/untrusted.ts';

describe('tokenize', () => {
  it('keeps the whole text', () => {
    const text = 'table inet t { # drop "\n\tip saddr { 10.0.0.1, fe80::1 } log prefix "a # b; }" drop\\\n}\n';
    assert.equal(
      tokenize(text)
        .map((token) => token.text)
        .join(''),
      text,
    );
  });

  it('sees strings and comments as nft does', () => {
    const tokens = tokenize('a"b # c" # d "e\nf;').map(({ kind, text, line }) => [kind, text, line]);
    assert.deepEqual(tokens, [
      ['word', 'a', 1],
      ['string', '"b # c"', 1],
      ['space', ' ', 1],
      ['comment', '# d "e', 1],
      ['newline', '\n', 1],
      ['word', 'f', 2],
      ['punctuation', ';', 2],
    ]);
  });

  it('refuses a quote that is not closed', () => assert.throws(() => tokenize('a\n"b'), { message: 'line 2: a " is not closed' }));

  it('takes any text without losing a character or hanging', () => {
    const alphabet = ['"', '#', '\n', ' ', '\\', '{', '}', ';', ',', 'a', ':', '\r', '\0', 'é', '\u2028'];
    let seed = 1;
    const next = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed;
    };
    for (let round = 0; round < 500; round += 1) {
      const text = Array.from({ length: next() % 60 }, () => alphabet[next() % alphabet.length]).join('');
      try {
        assert.equal(
          tokenize(text)
            .map((token) => token.text)
            .join(''),
          text,
        );
      } catch (error) {
        assert.match((error as Error).message, /^line \d+: a " is not closed$/, JSON.stringify(text));
      }
    }
  });
});

describe('checkUntrusted', () => {
  it('adds the line end without which nft would not see the last comment as one', () => {
    assert.equal(checkUntrusted('table ip t { }\n# include "/etc/shadow"').text, 'table ip t { }\n# include "/etc/shadow"\n');
  });

  const refused = [
    'include "/etc/shadow"',
    'table ip t { }; include "/etc/shadow"',
    '0xainclude "/etc/shadow"',
    '\tinclude\t"/etc/shadow"',
    'inc\\\ninclude "/x"',
    '"a"include "/x"',
    '# c\rd\ninclude "/x"',
    'table ip t {}\n#"\ninclude "/x" #"',
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => checkUntrusted(text), { code: 'ConfigurationError', message: /^nf_conf line \d: "include" is not allowed here/ });
    });
  }

  it('takes the word in comments and strings', () => {
    assert.doesNotThrow(() => checkUntrusted('# include\ntable ip t { chain c { accept comment "include"; }; }'));
  });
});

describe('countDrops', () => {
  const cases: Readonly<Record<string, readonly [listing: string, counted: string]>> = {
    'drop and reject': [
      'table ip t {\n\tchain c {\n\t\ttcp dport 23 drop\n\t\tlog prefix "drop" reject with tcp reset comment "reject"\n\t}\n}\n',
      'table ip t { counter nfio_drops { } chain c { tcp dport 23 counter name "nfio_drops" drop log prefix "drop" counter name "nfio_drops" reject with tcp reset comment "reject" } }',
    ],
    'a drop policy': [
      'table inet t {\n\tchain c {\n\t\tcomment "mine"\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state vmap { invalid : drop,\n\t\t\t     new : return }\n\t}\n}\n',
      'table inet t { counter nfio_drops { } chain nfio_drop { counter name "nfio_drops" drop; } chain nfio_body_c { comment "mine" ct state vmap { invalid : goto nfio_drop, new : return } } chain c { type filter hook input priority filter; policy drop; jump nfio_body_c counter name "nfio_drops" drop } }',
    ],
    'an accept policy': [
      'table inet t {\n\tchain c {\n\t\ttype filter hook input priority filter; policy accept;\n\t\taccept\n\t}\n}\n',
      'table inet t { counter nfio_drops { } chain c { type filter hook input priority filter; policy accept; accept } }',
    ],
    'a verdict map, and sets that are none': [
      'table ip t {\n\tmap m {\n\t\ttype inet_service : verdict\n\t\telements = { 22 : drop, 23 comment "a : drop" : jump c }\n\t}\n\n\tset s {\n\t\ttype ifname\n\t\telements = { "drop" }\n\t}\n}\n',
      'table ip t { counter nfio_drops { } chain nfio_drop { counter name "nfio_drops" drop; } map m { type inet_service : verdict elements = { 22 : goto nfio_drop, 23 comment "a : drop" : jump c } } set s { type ifname elements = { "drop" } } }',
    ],
  };
  for (const [name, [listing, counted]] of Object.entries(cases)) {
    it(`counts ${name}`, () => assert.equal(countDrops(listing).text.replaceAll(/\s+/g, ' ').trim(), counted));
  }

  it('names the tables', () => {
    assert.deepEqual(countDrops('table ip a {\n}\ntable netdev b {\n}\n').tables, [
      { family: 'ip', name: 'a' },
      { family: 'netdev', name: 'b' },
    ]);
    assert.deepEqual(countDrops(''), { text: '', tables: [] });
  });
});

describe('withProtocolNames', () => {
  it('spells out what nft lists by number without /etc/protocols, and nothing else', () => {
    const listing = (helper: string, timeout: string): string =>
      `table inet a {\n\tct helper ftp {\n\t\ttype "ftp" protocol ${helper}\n\t\tl3proto inet\n\t}\n\n\tct timeout t {\n\t\tprotocol ${timeout}\n\t}\n\n\tchain c {\n\t\tip protocol 6 drop\n\t}\n}\n`;
    assert.equal(withProtocolNames(listing('6', '17')), listing('tcp', 'udp'));
    assert.equal(withProtocolNames(listing('tcp', '132')), listing('tcp', '132'));
  });
});

describe('removalOf', () => {
  it('removes what refers before what is referred to, and leaves the counters of drops', () => {
    const inventory =
      'table inet a {\n\tct helper ftp {\n\tcounter nfio_drops {\n\tcounter mine {\n\tmap m {\n\tchain c {\ntable ip b {\n\tset s {\n';
    assert.deepEqual(removalOf(inventory).trim().split('\n'), [
      'flush table inet a',
      'flush table ip b',
      'delete map inet a m',
      'delete set ip b s',
      'delete chain inet a c',
      'delete counter inet a mine',
      'delete ct helper inet a ftp',
    ]);
  });

  it('has nothing to remove from an empty guest', () => assert.equal(removalOf(''), ''));
});
