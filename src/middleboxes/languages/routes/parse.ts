import { didYouMean } from '../../../domain/did-you-mean.ts';
import { formatAddress, formatCidr, networkOf, parseAddress, parseCidr } from '../../../domain/ip.ts';
import { parseLines } from '../parse-lines.ts';

/** A route as ip-route(8) takes it. */
export interface Route {
  /** Two routes with one key cannot both be there: family, type of table entry, destination, table and metric. */
  readonly key: string;
  readonly family: 4 | 6;
  /** Arguments of `ip route replace`, in order. */
  readonly words: readonly string[];
  /** Line it stands on, from 1. */
  readonly line: number;
}

const types = ['unicast', 'blackhole', 'unreachable', 'prohibit', 'throw'];

/** Words of a route that take a value, each with a check of it. */
const options: Readonly<Record<string, (value: string) => void>> = {
  via: (value) => void parseAddress(value),
  src: (value) => void parseAddress(value),
  dev: (value) => expect(value, /^[A-Za-z0-9][\w.-]{0,14}$/, 'a port'),
  metric: (value) => expect(value, /^\d{1,10}$/, 'a number'),
  table: (value) => expect(value, /^(main|default|local|\d{1,10})$/, 'main, default, local or a number'),
  mtu: (value) => expect(value, /^\d{1,5}$/, 'a number of bytes'),
  advmss: (value) => expect(value, /^\d{1,5}$/, 'a number of bytes'),
  scope: (value) => expect(value, /^(global|link|host|site)$/, 'global, link or host'),
  pref: (value) => expect(value, /^(low|medium|high)$/, 'low, medium or high'),
};
const flags = ['onlink'];

/**
 * Parses nf_conf of a router: a route a line, # begins a comment.
 *
 * @throws ConfigurationError (EINVAL) naming the line.
 */
export function parseRoutes(text: string): Route[] {
  const seen = new Map<string, number>();
  return parseLines(text, (words, line) => {
    const route = parseRoute(words, line);
    const first = seen.get(route.key);
    if (first !== undefined) throw new Error(`the same route is on line ${first}: give one of them another metric`);
    seen.set(route.key, line);
    return route;
  });
}

/** Parses the words of one route. @throws Error saying what is wrong. */
export function parseRoute(words: readonly string[], line: number): Route {
  const rest = [...words];
  const type = types.includes(rest[0] ?? '') ? (rest.shift() ?? '') : 'unicast';
  const destination = rest.shift() ?? '';
  const values = readOptions(rest);
  const family = familyOf(destination, values);
  const target = canonicalDestination(destination);
  const nowhere = values['via'] === undefined && values['dev'] === undefined;
  if (type === 'unicast' && nowhere) throw new Error(`${target} goes nowhere: write "via ADDRESS" or "dev PORT"`);
  const key = [family, target, values['table'] ?? 'main', values['metric'] ?? (family === 6 ? '1024' : '0')].join(' ');
  return { key, family, words: [type, target, ...rest], line };
}

function readOptions(words: readonly string[]): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (flags.includes(word)) continue;
    const check = Object.hasOwn(options, word) ? options[word] : undefined;
    const known = [...Object.keys(options), ...flags];
    if (check === undefined) throw new Error(`"${word.slice(0, 40)}" means nothing in a route${didYouMean(word, known)}`);
    if (values[word] !== undefined) throw new Error(`${word} is given twice`);
    const value = words[at + 1];
    if (value === undefined) throw new Error(`nothing follows ${word}`);
    check(value);
    values[word] = value;
    at += 1;
  }
  return values;
}

function familyOf(destination: string, values: Readonly<Record<string, string>>): 4 | 6 {
  const via = values['via'] ?? values['src'];
  if (destination === 'default') return via === undefined ? 4 : parseAddress(via).family;
  const { family } = destinationOf(destination);
  if (via !== undefined && parseAddress(via).family !== family) throw new Error(`${destination} and ${via} are not of one address family`);
  return family;
}

/** As ip-route prints it: a whole address without its prefix length. */
function canonicalDestination(destination: string): string {
  if (destination === 'default') return destination;
  const cidr = destinationOf(destination);
  if (formatCidr(networkOf(cidr)) !== formatCidr(cidr))
    throw new Error(`${destination} has host bits set: write ${formatCidr(networkOf(cidr))}`);
  if (cidr.prefixLength === 0) return 'default';
  return cidr.prefixLength === (cidr.family === 4 ? 32 : 128) ? formatAddress(cidr) : formatCidr(cidr);
}

function destinationOf(text: string): ReturnType<typeof parseCidr> {
  return text.includes('/') ? parseCidr(text) : parseAddress(text);
}

function expect(value: string, pattern: RegExp, what: string): void {
  if (!pattern.test(value)) throw new Error(`"${value.slice(0, 40)}" is not ${what}`);
}
