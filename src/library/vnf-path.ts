import { relative, resolve, sep } from 'node:path';
import { NfioError } from '../errors/index.ts';

/** An object that programs act on, by its place in the tree. */
export interface Place {
  readonly kind: 'VNF' | 'service chain';
  /** Absolute path of its directory. */
  readonly path: string;
  /** How sentences name it: `firewall/fw-a`, `chns/web`. */
  readonly label: string;
}

/** A VNF instance, by its place in the tree. */
export interface VnfPlace extends Place {
  readonly type: string;
  readonly name: string;
}

/** The absolute path of a mountpoint. @throws NfioError InvalidValueError when it is no path. */
export function mountPath(mountpoint: string): string {
  if (typeof mountpoint === 'string' && mountpoint !== '') return resolve(mountpoint);
  throw new NfioError('InvalidValueError', { message: "The mountpoint is missing. Give its path: new VnfsOperations('/nfio')" });
}

/**
 * The names on the way from the mountpoint to a path: `nf-types`, `firewall`, `fw-a`, … A path is absolute below the mountpoint, or
 * counted from it, with or without a slash before it.
 *
 * @throws NfioError InvalidNameError when the path leads out of the mount.
 */
export function namesBelow(mountpoint: string, path: string): readonly string[] {
  const inside = path === mountpoint || path.startsWith(`${mountpoint}${sep}`);
  const full = inside ? resolve(path) : resolve(mountpoint, `.${sep}${path}`);
  const names = relative(mountpoint, full).split(sep);
  if (names[0] === '..') throw new NfioError('InvalidNameError', { message: `${path} is not below ${mountpoint}` });
  return names[0] === '' ? [] : names;
}

/**
 * The instance whose directory a path names.
 *
 * @throws NfioError VNFNameIsEmptyError for a type directory, InvalidNameError for anything else that is no instance.
 */
export function vnfPlace(mountpoint: string, path: string): VnfPlace {
  const [top, type, name, ...rest] = namesBelow(mountpoint, path);
  if (top !== 'nf-types' || type === undefined || rest.length > 0) {
    throw new NfioError('InvalidNameError', { message: `${path} is no VNF. Give a path like nf-types/firewall/fw-a.` });
  }
  if (name === undefined)
    throw new NfioError('VNFNameIsEmptyError', { message: `${path} names a type, but no VNF of it. Give a path like ${path}/fw-a.` });
  return { kind: 'VNF', path: resolve(mountpoint, top, type, name), label: `${type}/${name}`, type, name };
}

/**
 * The service chain whose directory a path names.
 *
 * @throws NfioError InvalidNameError for anything else.
 */
export function chainPlace(mountpoint: string, path: string): Place {
  const [top, name, ...rest] = namesBelow(mountpoint, path);
  if (top !== 'chns' || name === undefined || rest.length > 0) {
    throw new NfioError('InvalidNameError', { message: `${path} is no service chain. Give a path like chns/web.` });
  }
  return { kind: 'service chain', path: resolve(mountpoint, top, name), label: `chns/${name}` };
}
