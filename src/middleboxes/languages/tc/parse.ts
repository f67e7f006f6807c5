import { didYouMean } from '../../../domain/did-you-mean.ts';
import { parseLines } from '../parse-lines.ts';

/** One tc command. */
export interface TcCommand {
  readonly port: string;
  readonly words: readonly string[];
  /** Line it stands on, from 1. */
  readonly line: number;
}

/** Kinds that need no file of the machine. tc loads a shared object for a kind that it does not know: only these are let through. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  qdisc: [
    'tbf',
    'htb',
    'fq',
    'fq_codel',
    'codel',
    'sfq',
    'red',
    'prio',
    'pfifo',
    'bfifo',
    'pfifo_fast',
    'cake',
    'netem',
    'hfsc',
    'drr',
    'ets',
    'ingress',
    'clsact',
  ],
  class: ['htb', 'hfsc', 'drr', 'ets'],
  filter: ['u32', 'fw', 'flower', 'matchall', 'basic'],
};

/** Words that would have tc read a file or run a program of the machine. */
const forbidden = [
  'bpf',
  'exec',
  'object-file',
  'bytecode-file',
  'object-pinned',
  'distribution',
  'ematch',
  'xt',
  'ipt',
  'gact_file',
  'pedit',
];
const actions = [
  'drop',
  'shot',
  'ok',
  'pass',
  'pipe',
  'continue',
  'reclassify',
  'police',
  'gact',
  'mirred',
  'skbedit',
  'vlan',
  'nat',
  'mpls',
];

/**
 * Parses nf_conf of a shaper: commands of tc(8) in batch syntax that add, change or replace something on a port.
 *
 * @throws ConfigurationError (EINVAL) naming the line. What the kernel says of them shows only when they run.
 */
export function parseTc(text: string): TcCommand[] {
  return parseLines(text, parseCommand);
}

function parseCommand(words: readonly string[], line: number): TcCommand {
  const [object = '', verb = '', dev = '', port = '', ...rest] = words;
  if (!Object.hasOwn(kinds, object))
    throw new Error(`"${object}" is none of qdisc, class, filter${didYouMean(object, Object.keys(kinds))}`);
  if (!['add', 'replace', 'change'].includes(verb)) throw new Error(`"${verb}" is none of add, replace, change`);
  if (dev !== 'dev' || !/^[A-Za-z0-9][\w.-]{0,14}$/.test(port)) throw new Error(`write "${object} ${verb} dev PORT …"`);
  for (const word of rest) checkWord(word);
  checkKind(object, rest);
  for (const [at, word] of rest.entries()) {
    const action = rest[at + 1] ?? '';
    if (isActionWord(word) && !actions.includes(action)) throw new Error(`the action "${action}" is not one of ${actions.join(', ')}`);
  }
  return { port, words, line };
}

/** tc takes abbreviations (its matches()): `a`, `act` and `acti` are `action`. */
function isActionWord(word: string): boolean {
  return 'action'.startsWith(word);
}

function checkWord(word: string): void {
  if (!/^[A-Za-z0-9_:.,%+*/-]{1,100}$/.test(word)) throw new Error(`"${word.slice(0, 40)}" has characters that no tc command needs`);
  if (word.startsWith('/') || word.includes('..')) throw new Error(`"${word.slice(0, 40)}" looks like a path: files are not read here`);
  if (forbidden.includes(word)) throw new Error(`"${word}" is not allowed here: it reads files or runs programs`);
}

/** The kind is the first word that is no place (root, parent X, handle X, …). */
function checkKind(object: string, words: readonly string[]): void {
  const withValue = ['parent', 'handle', 'classid', 'protocol', 'prio', 'preference', 'pref', 'chain'];
  const alone = ['root', 'ingress', 'egress'];
  const known = kinds[object] ?? [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (known.includes(word)) return;
    if (withValue.includes(word)) at += 1;
    else if (!alone.includes(word))
      throw new Error(`there is no ${object} "${word}" here${didYouMean(word, known)}: known are ${known.join(', ')}`);
  }
  throw new Error(`the kind of ${object} is missing: one of ${known.join(', ')}`);
}
