import { resolve } from 'node:path';
import { type Choice, choose } from '../domain/choice.ts';
import { nearestWord } from '../domain/did-you-mean.ts';
import { NfioError } from '../errors/index.ts';
import { parseUri } from '../hypervisor/libvirt/rpc/uri.ts';

/** One option: how a command line has it, and what its value has to be. */
export interface Option<Value> {
  readonly type: 'string' | 'boolean';
  /** Its long name on a command line, without the dashes. */
  readonly flag: string;
  readonly summary: string;
  /** Placeholder of the value in help. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly synonyms?: Readonly<Record<string, string>>;
  /** Other long names, such as those of the original prototype. */
  readonly aliases?: readonly string[];
  /** The value when none is given. */
  readonly fallback: Value;
  /**
   * The value that was meant.
   *
   * @param name what the user calls the option, for the sentence of the error.
   * @throws NfioError InvalidValueError.
   */
  parse(given: unknown, name: string): Value;
}

type Words = Pick<Option<unknown>, 'flag' | 'summary' | 'value' | 'aliases'>;

/** A path; a relative one counts from the current directory. */
export function path<const Fallback extends string | undefined>(words: Words, fallback: Fallback): Option<string | Fallback> {
  return { ...words, type: 'string', fallback, parse: parsePath };
}

/** The path of a Unix socket, also as `unix://PATH`. */
export function socket(words: Words, fallback: string): Option<string> {
  const parse = (given: unknown, name: string): string => {
    const text = parsePath(given, name);
    const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(String(given)) ?? [];
    if (scheme === undefined) return text;
    if (scheme === 'unix' && rest.startsWith('/')) return rest;
    throw invalid(name, given, 'the path of a Unix socket (Docker Engines elsewhere are entries in hosts/)');
  };
  return { ...words, type: 'string', fallback, parse };
}

/** One of a few words, in any case. */
export function word<const Word extends string>(words: Words, choice: Choice<Word>, fallback: Word): Option<Word> {
  const parse = (given: unknown, name: string): Word => {
    const chosen = typeof given === 'string' ? choose(given, choice) : undefined;
    if (chosen !== undefined) return chosen;
    const nearest = typeof given === 'string' ? nearestWord(given, choice.choices) : undefined;
    throw invalid(name, given, `one of ${choice.choices.join(', ')}`, nearest);
  };
  return { ...words, ...choice, type: 'string', fallback, parse };
}

/** True or false. */
export function flag(words: Words, fallback: boolean): Option<boolean> {
  const parse = (given: unknown, name: string): boolean => {
    if (typeof given === 'boolean') return given;
    throw invalid(name, given, 'true or false');
  };
  return { ...words, type: 'boolean', fallback, parse };
}

/** A whole number of milliseconds, below 10⁹ (eleven days). */
export function milliseconds(words: Words, fallback: number): Option<number> {
  const parse = (given: unknown, name: string): number => {
    if (/^\d{1,9}$/.test(String(given)) && ['string', 'number'].includes(typeof given)) return Number(given);
    throw invalid(name, given, 'a whole number of milliseconds');
  };
  return { ...words, type: 'string', fallback, parse };
}

/** The URI of a libvirt daemon. */
export function libvirtUri(words: Words, fallback: string): Option<string> {
  const parse = (given: unknown, name: string): string => {
    try {
      if (typeof given === 'string' && given.includes('://') && parseUri(given) !== undefined) return given;
    } catch {
      // The sentence below names the option.
    }
    throw invalid(name, given, 'the URI of a libvirt daemon, such as qemu:///system');
  };
  return { ...words, type: 'string', fallback, parse };
}

function parsePath(given: unknown, name: string): string {
  if (typeof given === 'string' && given !== '' && !/[\0\n]/.test(given)) return resolve(given);
  throw invalid(name, given, 'a path');
}

function invalid(name: string, given: unknown, wanted: string, nearest?: string): NfioError {
  const shown = typeof given === 'string' ? JSON.stringify(given.slice(0, 80)) : describe(given);
  const hint = nearest === undefined ? '' : ` Did you mean ${nearest}?`;
  return new NfioError('InvalidValueError', { message: `${name} is ${wanted}, not ${shown}.${hint}` });
}

function describe(given: unknown): string {
  return typeof given === 'number' || typeof given === 'boolean' || given === null ? String(given) : `a value of type ${typeof given}`;
}
