import { NfioError } from '../errors/index.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Interface names that Linux gives a meaning of its own. */
const reservedPortNames = new Set(['lo', 'all', 'default']);

/** What a name is for; only used in the sentence of the error. */
export type NameKind = 'VNF' | 'type' | 'network' | 'port' | 'host' | 'user' | 'service chain' | 'hop';

/**
 * Refuses names outside `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`, and capitals in those of types, which modules are called by. Names that differ in capitals differ.
 *
 * @throws InvalidNameError (EINVAL), naming the first thing that is wrong.
 */
export function checkName(kind: NameKind, name: string): void {
  const wrong = whatIsWrong(kind, name);
  if (wrong !== undefined) throw new NfioError('InvalidNameError', { message: `${kind} name ${quoted(name)}: ${wrong}` });
  if (kind === 'port' && reservedPortNames.has(name)) {
    throw new NfioError('InvalidNameError', { message: `port name "${name}" has a meaning of its own in Linux; choose another` });
  }
}

/** The name of a link that `ln -sf` of GNU coreutils is about to rename to the one it was given (samedir_template in force-link.c). */
const passingName = /^Cu[A-Za-z0-9]{6}$/;

/** True for a name that a link may have for good. */
export function isLinkName(name: string): boolean {
  return namePattern.test(name) && !passingName.test(name);
}

function whatIsWrong(kind: NameKind, name: string): string | undefined {
  if (kind === 'type' && /[A-Z]/.test(name)) return 'types have lower-case names';
  if (namePattern.test(name)) return undefined;
  if (name.length > 63) return `longer than 63 characters (${name.length})`;
  if (!/^[A-Za-z0-9]/.test(name)) return 'must begin with a letter or a digit';
  return 'only letters of English, digits, "_", "." and "-" are allowed';
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}
