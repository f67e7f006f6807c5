import { deepEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const netnsDirectory = '/run/netns';

/** What nf.io could leave behind on a machine, by kind. */
export type World = Readonly<Record<string, readonly string[]>>;

/**
 * Lists mounts, network namespaces, links, nft tables, cgroups, containers, guests and domains of this machine.
 *
 * @param mark When other programs change the machine at the same time: only what contains one of these texts.
 */
export function snapshotWorld(...mark: readonly string[]): World {
  const lists = {
    mounts: mounts(),
    namespaces: safeList(netnsDirectory),
    links: lines(run('ip', ['-o', 'link', 'show'])).map((line) => line.split(': ')[1] ?? line),
    tables: lines(run('nft', ['list', 'tables'])),
    cgroups: cgroups(),
    containers: containers(),
    processes: processes(),
    domains: safeList('/etc/libvirt/qemu').filter((name) => name.startsWith('nfio-')),
  };
  const mine = (line: string): boolean => mark.length === 0 || mark.some((text) => line.includes(text));
  return Object.fromEntries(Object.entries(lists).map(([kind, list]) => [kind, list.filter(mine).sort()]));
}

/** Fails when there is more (or less) of anything than before. `before` and now are compared with the same marks. */
export function assertNoLeaks(before: World, ...mark: readonly string[]): void {
  deepEqual(snapshotWorld(...mark), before);
}

/** Without the directory of namespaces itself: the first `ip netns add` of a machine's life mounts it, for good and for all users of ip. */
function mounts(): string[] {
  return lines(readFileSync('/proc/self/mounts', 'utf8'))
    .map((line) => line.split(' ').slice(0, 3))
    .filter(([, target]) => target !== netnsDirectory)
    .map((fields) => fields.join(' '));
}

function hierarchies(): string[] {
  return ['/sys/fs/cgroup', ...safeList('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))];
}

function cgroups(): string[] {
  return hierarchies().flatMap((hierarchy) => below(join(hierarchy, 'nfio')));
}

/** Ids of containers of any engine, by the cgroups that each has. */
function containers(): string[] {
  const names = hierarchies().flatMap((hierarchy) => safeList(join(hierarchy, 'docker')));
  return [...new Set(names.filter((name) => /^[0-9a-f]{64}$/.test(name)))];
}

function below(directory: string): string[] {
  const entries = (() => {
    try {
      return readdirSync(directory, { withFileTypes: true });
    } catch {
      return undefined;
    }
  })();
  if (entries === undefined) return [];
  return [directory, ...entries.filter((entry) => entry.isDirectory()).flatMap(({ name }) => below(join(directory, name)))];
}

/** Guests, and what serves them, by their arguments. */
function processes(): string[] {
  return safeList('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return text.includes('nfio-') ? [text] : [];
    } catch {
      return [];
    }
  });
}

function safeList(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function run(program: string, argv: readonly string[]): string {
  try {
    return execFileSync(program, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
