import { readMounts } from './machine-mounts.ts';

/** Where the cgroup hierarchies of this machine are mounted. */
export interface CgroupMounts {
  /** Version 1, by controller. */
  readonly v1: Readonly<Record<string, string>>;
  /** Version 2. */
  readonly unified: string | undefined;
}

/** Reads them from the mount table (cgroups(7)). */
export function findCgroupMounts(): CgroupMounts {
  const mounts = readMounts();
  const v1 = mounts
    .filter(({ type }) => type === 'cgroup')
    .flatMap(({ path, superOptions }) => superOptions.map((controller) => [controller, path] as const));
  return { v1: Object.fromEntries(v1), unified: mounts.find(({ type }) => type === 'cgroup2')?.path };
}
