/**
 * The text of a symbolic link in a guest's root file system, so that whoever follows it from outside ends where the guest would: below that root,
 * which nothing leads out of (chroot(2)). `/run` in `etc/a` becomes `../run`, and a `..` too many is left out.
 *
 * A name followed by `..` is dropped with it, so that all `..` come first and are counted: the names before them could be links.
 *
 * @param depth how many directories below the root the link is in; 0: in the root itself.
 */
export function confinedLink(target: string, depth: number): string {
  const names: string[] = [];
  let up = target.startsWith('/') ? depth : 0;
  for (const name of target.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.length > 0) names.pop();
    else if (up < depth) up += 1;
  }
  const path = [...Array<string>(up).fill('..'), ...names].join('/');
  return path === '' ? '.' : path;
}
