import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, test } from 'node:test';
import { confinedLink } from '../../src/vfs/confined-link.ts';

describe('a link of a guest', () => {
  const links: readonly (readonly [target: string, depth: number, expected: string])[] = [
    ['/run', 1, '../run'],
    ['/run', 0, 'run'],
    ['/', 0, '.'],
    ['/', 3, '../../..'],
    ['/etc/shadow', 2, '../../etc/shadow'],
    ['note', 2, 'note'],
    ['../usr/lib/os-release', 1, '../usr/lib/os-release'],
    ['../../../../etc/shadow', 1, '../etc/shadow'],
    ['../../..', 0, '.'],
    ['a/../b//./c/', 1, 'b/c'],
    ['m/m/m/../../../../../../etc', 1, '../etc'],
    ['/../../etc', 1, '../etc'],
  ];
  for (const [target, depth, expected] of links) {
    test(`${target} in ${depth} directories`, () => assert.equal(confinedLink(target, depth), expected));
  }

  test('never leaves the root, whatever it says', () => {
    const words = ['..', '.', '', 'a', 'b', '...'];
    for (let number = 0; number < words.length ** 5; number += 1) {
      let rest = number;
      const target = Array.from({ length: 5 }, () => {
        const word = words[rest % words.length];
        rest = Math.floor(rest / words.length);
        return word;
      }).join('/');
      for (const depth of [0, 1, 2]) {
        const link = confinedLink(target, depth);
        assert.match(link, /^(\.\.(\/|$))*([^./][^/]*|\.{3})?(\/([^./][^/]*|\.{3}))*$|^\.$/, `${target} is ${link}`);
        const directory = ['root', 'x', 'y'].slice(0, depth + 1).join('/');
        assert.match(`${posix.normalize(`${directory}/${link}`)}/`, /^root\//, `${target} at ${depth} is ${link}`);
      }
    }
  });
});
