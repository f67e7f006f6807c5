import { NfioError } from '../errors/index.ts';

const namePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

/** Interface names that Linux gives a meaning of its own. */
const reservedPortNames = new Set(['lo', 'all', 'default']);

/** What a name is for; only used in the sentence of the error. */
export type NameKind = 'VNF' | 'type' | 'network' | 'port' | 'host' | 'service chain' | 'hop';

/**
 * Refuses names outside `[a-z0-9][a-z0-9_.-]{0,62}`.
 *
 * @throws InvalidNameError (EINVAL), naming the first thing that is wrong.
 */
export function checkName(kind: NameKind, name: string): void {
  if (!namePattern.test(name)) {
    throw new NfioError('InvalidNameError', { message: `${kind} name ${quoted(name)}: ${whatIsWrong(name)}` });
  }
  if (kind === 'port' && reservedPortNames.has(name)) {
    throw new NfioError('InvalidNameError', { message: `port name "${name}" has a meaning of its own in Linux; choose another` });
  }
}

/** True for a name that an object may have. */
export function isName(name: string): boolean {
  return namePattern.test(name);
}

function whatIsWrong(name: string): string {
  if (name.length > 63) return `longer than 63 characters (${name.length})`;
  if (!/^[a-z0-9]/.test(name)) return 'must begin with a lower-case letter or a digit';
  return 'only lower-case letters, digits, "_", "." and "-" are allowed';
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}
