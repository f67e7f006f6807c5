import { createHash } from 'node:crypto';
import { longestInterfaceName } from '../../../domain/guest-interface.ts';
import { memoryLimitBytes } from '../../../domain/limited-program.ts';
import { NfioError } from '../../../errors/index.ts';
import { runInThrowAwayNetwork } from '../local-program.ts';
import type { Token } from './tokens.ts';
import { checkUntrusted } from './untrusted.ts';

/**
 * Loads the rules on standard input into an empty namespace that has an interface of each name in "$@", and lists what the
 * kernel made of them. veth pairs stand in for ports: every kernel that nf.io runs on has them.
 */
const script = `
if [ $# -gt 0 ]; then
  n=0
  for name; do n=$((n + 1)); echo "link add name $name type veth peer name nfio-peer$n"; done | ip -batch - || exit 3
fi
nft -f - >/dev/null || case $? in 127) exit 127 ;; 1) exit 4 ;; *) exit 5 ;; esac
exec nft -s list ruleset
`;

/** What is kept of normalised texts: most VNFs of a type have one and the same. */
const maxCachedTexts = 64;
const maxCachedLength = 4 * 1024 * 1024;
const maxStandIns = 64;
/** So many lines of further complaints are named. */
const maxLines = 10;

/** Turns what users write into the form that `nft list ruleset` prints: one statement a line, no variables, no shorthand. */
export class RulesetNormaliser {
  readonly #cache = new Map<string, string>();
  #cachedLength = 0;

  /**
   * @param ports names of the guest's ports; undefined when there is no guest yet: then each interface that is named is taken to exist.
   * @throws ConfigurationError naming the line of the user's own text.
   */
  async normalise(text: string, ports: readonly string[] | undefined, signal: AbortSignal | undefined): Promise<string> {
    const checked = checkUntrusted(text);
    const interfaces = standIns(checked.tokens, ports);
    const key = createHash('sha256')
      .update(JSON.stringify([interfaces, checked.text]))
      .digest('base64');
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const result = await runInThrowAwayNetwork(script, { words: interfaces, input: checked.text, tool: 'nft', signal });
    if (result.exitCode !== 0) throw translate(result.stderr, result.exitCode);
    const listing = withProtocolNames(result.stdout);
    this.#remember(key, listing);
    return listing;
  }

  /** The oldest make room. A listing that would fill the cache alone is kept only until the next one. */
  #remember(key: string, listing: string): void {
    this.#cache.set(key, listing);
    this.#cachedLength += listing.length;
    for (const [oldest, text] of this.#cache) {
      if (this.#cache.size <= 1 || (this.#cache.size <= maxCachedTexts && this.#cachedLength <= maxCachedLength)) break;
      this.#cache.delete(oldest);
      this.#cachedLength -= text.length;
    }
  }
}

const protocolNames: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp' };

/** Where a machine has no /etc/protocols nft lists the protocol of a ct helper or timeout by number, and would not read that again. */
export function withProtocolNames(listing: string): string {
  return listing.replaceAll(
    /^(\t\t(?:type "[^"]*" )?protocol )(6|17)$/gm,
    (_, before: string, number: string) => `${before}${protocolNames[number]}`,
  );
}

/**
 * Interfaces that nft must find while it reads the rules: those of iif, oif and of devices (names in iifname need not exist).
 * Of ports with long names only the id is in the interface's name: a word of that form will do.
 */
function standIns(tokens: readonly Token[], ports: readonly string[] | undefined): string[] {
  const words: string[] = tokens
    .filter((token) => token.kind === 'word' || token.kind === 'string')
    .map((token) => token.text.replaceAll('"', ''));
  if (!words.some((word) => /^(iif|oif|sdif|devices?)\b/.test(word))) return [];
  const named = words.filter((word) => (ports === undefined ? looksLikeInterface(word) : /^e[a-z0-9]{6,12}$/.test(word)));
  const own = (ports ?? []).filter((port) => port.length <= longestInterfaceName);
  return [...new Set([...own, ...named])].slice(0, maxStandIns);
}

/** Any word that could name an interface will do: a stand-in too many harms nobody. */
function looksLikeInterface(word: string): boolean {
  return /^[A-Za-z][\w.-]{0,14}$/.test(word) && word !== 'lo' && word !== 'all' && word !== 'default' && !word.startsWith('nfio-peer');
}

/** Where the other complaints are: nft tells of some at once. @param lines of all of them, in its order. */
function othersOf([first, ...others]: readonly number[]): string {
  const lines = [...new Set(others)].sort((a, b) => a - b);
  if (lines.length === 0) return '';
  const shown = lines.slice(0, maxLines).join(', ');
  const where = lines.length === 1 && lines[0] === first ? 'in the same line' : `in line${lines.length === 1 ? '' : 's'} ${shown}`;
  return ` (and ${others.length} more, ${where}${lines.length > maxLines ? ', …' : ''})`;
}

/** The first of nft's complaints, with the line in the user's file; lines of the text itself are left out. */
function translate(stderr: string, exitCode: number): NfioError {
  // Its own status for that is 2, and a signal ends it where it does not notice.
  if (exitCode === 5) {
    const message = `nf_conf: nft needs more than ${memoryLimitBytes / 2 ** 20} MB to read it. Fix: write fewer combinations into its definitions and sets`;
    return new NfioError('ConfigurationError', { message });
  }
  const complaints = [...stderr.matchAll(/^\/dev\/stdin:(\d+):(\d+)[^:]*: (?:Error: )?(.*)$/gm)];
  const [first] = complaints;
  const message =
    first === undefined
      ? `nf_conf: ${stderr.trim().split('\n')[0] || `nft ended with status ${exitCode}`}`
      : `nf_conf line ${first[1]}: ${first[3]} (column ${first[2]})${othersOf(complaints.map(([, line]) => Number(line)))}`;
  return new NfioError('ConfigurationError', { message });
}
