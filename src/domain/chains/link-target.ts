import { posix } from 'node:path';

/** Where a link is and what its text is read against. */
export interface LinkPlace {
  /** Path below the mountpoint of the directory that holds the link, `chns/web/fw`. */
  readonly directory: string;
  /** Absolute path of the mountpoint. */
  readonly mountpoint: string;
}

/** The path below the mountpoint that the text of a link leads to, undefined when it leads out of the mount. Links on the way are not followed. */
export function pathOfTarget(target: string, { directory, mountpoint }: LinkPlace): string | undefined {
  const absolute = posix.resolve(mountpoint, directory, target);
  const below = posix.relative(mountpoint, absolute);
  return below === '' || below === '..' || below.startsWith('../') ? undefined : below;
}

/** An instance by its type and name. */
export interface InstanceName {
  readonly type: string;
  readonly name: string;
}

/** The instance that a link leads to, undefined when it leads to anything else. Whether there is such an instance is another matter. */
export function instanceOfTarget(target: string, place: LinkPlace): InstanceName | undefined {
  const [top, type, name, ...rest] = pathOfTarget(target, place)?.split('/') ?? [];
  return top === 'nf-types' && type !== undefined && name !== undefined && rest.length === 0 ? { type, name } : undefined;
}

/** The name of the hop of a service chain that a link leads to, undefined when it leads to anything else. */
export function hopOfTarget(target: string, chain: string, place: LinkPlace): string | undefined {
  const [top, of, hop, ...rest] = pathOfTarget(target, place)?.split('/') ?? [];
  return top === 'chns' && of === chain && rest.length === 0 ? hop : undefined;
}
