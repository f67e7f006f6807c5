import type { ChainMatch } from '../../domain/chains/match.ts';
import { checkExpressions, conditionsOf, exchange, withoutReceiver } from '../../domain/chains/match-expression.ts';
import { limitedProgram } from '../../domain/limited-program.ts';
import { NfioError } from '../../errors/index.ts';
import { missingTool, runProgram } from '../run-program.ts';

/** Loads a table into a network namespace of its own, which goes away with the script, and prints what the kernel made of it, as JSON and as text.
 * nft opens its input by name for JSON, which it can of a pipe of the shell, not of one of ours. */
const script = `
command -v nft >/dev/null || exit 127
ip link add name nfio0 type veth peer name nfio1 || exit 3
cat | nft $1 -f - || exit 4
nft -j list ruleset || exit 5
echo
exec nft -s list ruleset`;

const timeoutMs = 10_000;

/** What may not be in a classifier: it would end the rule, begin another or a comment, or mean something of the shell of nft. */
const forbidden = /[;#"'@$\\\n\r\0]/;

/** Matches in nft's own words that were asked for last: most service chains of a mount have one of few. */
const mostKept = 256;

/** Checks classifiers: nft parses each in a network namespace of its own, and the rule it makes of it must compare and do nothing else. */
export class MatchChecker {
  readonly #known = new Map<string, ChainMatch>();

  /** @throws InvalidValueError (EINVAL) with what nft says, or what is not allowed. */
  async check(text: string, signal: AbortSignal): Promise<ChainMatch> {
    if (text === '') return { text, forward: '', backward: '', conditions: [] };
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    checkText(text);
    const forward = await load('', tableOf(`${text} continue`), signal);
    checkExpressions(forward.expressions);
    const back = forward.expressions.map(exchange);
    const backward = await this.#render(back, signal);
    const kept = withoutReceiver(back);
    const translated = kept.length === back.length ? {} : { translated: kept.length === 0 ? '' : await this.#render(kept, signal) };
    const match = { text, forward: forward.rule, backward, ...translated, conditions: conditionsOf(forward.expressions) };
    if (this.#known.size >= mostKept) this.#known.delete(this.#known.keys().next().value ?? '');
    this.#known.set(text, match);
    return match;
  }

  /** Conditions in nft's own words. */
  async #render(expressions: readonly Expression[], signal: AbortSignal): Promise<string> {
    const rule = { family: 'netdev', table: 't', chain: 'c', expr: [...expressions, { continue: null }] };
    return (await load('-j', JSON.stringify({ nftables: [...emptyTable, { add: { rule } }] }), signal)).rule;
  }
}

type Expression = Parameters<typeof checkExpressions>[0][number];

const chain = { family: 'netdev', table: 't', name: 'c', type: 'filter', hook: 'ingress', prio: 0, policy: 'accept', dev: 'nfio0' };
const emptyTable = [{ add: { table: { family: 'netdev', name: 't' } } }, { add: { chain } }];

function tableOf(rule: string): string {
  return `table netdev t {\nchain c {\ntype filter hook ingress device "nfio0" priority 0;\n${rule}\n}\n}\n`;
}

function checkText(text: string): void {
  const wrong = forbidden.exec(text)?.[0];
  if (wrong !== undefined) throw refuse(`${JSON.stringify(wrong)} cannot be part of one`);
  let depth = 0;
  for (const brace of text.match(/[{}]/g) ?? []) {
    depth += brace === '{' ? 1 : -1;
    if (depth < 0) throw refuse('there is a } without a {');
  }
  if (depth !== 0) throw refuse('there is a { without a }');
  if (/include/i.test(text)) throw refuse('"include" cannot be part of one');
}

/** The one rule of the table: its expressions without the verdict, and its text without it. */
async function load(
  option: '' | '-j',
  input: string,
  signal: AbortSignal,
): Promise<{ readonly expressions: readonly Expression[]; readonly rule: string }> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const result = await runProgram(['unshare', '--net', ...limitedProgram(['sh', '-c', script, 'nfio-match', option])], {
    signal: limited,
    input,
  });
  if (result.exitCode === 127) throw missingTool('nft');
  if (result.exitCode !== 0) throw refuse(whatNftSays(result.stderr) || `nft ended with status ${result.exitCode}`, remedy);
  const [json = '', ...text] = result.stdout.split('\n');
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly { readonly rule?: { readonly expr: readonly Expression[] } }[] };
  const rules = nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule.expr]));
  const line = text.map((each) => each.trim()).find((each) => each === 'continue' || each.endsWith(' continue'));
  const [expressions, ...more] = rules;
  if (expressions === undefined || more.length > 0 || line === undefined) throw refuse('it is not one rule');
  return { expressions: expressions.slice(0, -1), rule: line.slice(0, -'continue'.length).trim() };
}

/** The first complaint, without its place in a text that is not the user's, and without the verdict that ends that. */
function whatNftSays(stderr: string): string {
  const line = stderr.split('\n').find((each) => each.includes('Error')) ?? stderr.split('\n')[0] ?? '';
  return line
    .replace(/^.*?Error: /, '')
    .replace(/unexpected continue/, 'something is missing at its end')
    .trim();
}

const remedy = '. Fix: write conditions of nft(8), such as: tcp dport { 80, 443 }';

function refuse(why: string, more = ''): NfioError {
  return new NfioError('InvalidValueError', { message: `match: ${why}${more}` });
}
