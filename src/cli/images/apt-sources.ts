import { runProgram } from '../run-program.ts';

/** The release that images are made of. */
export const release = 'bookworm';

const publicMirror = 'http://deb.debian.org/debian';
const timeoutMs = 10_000;

/** Where Debian packages come from. */
export interface AptSources {
  /** Of the release itself, for debootstrap. */
  readonly mirror: string;
  /** Lines of sources.list(5). */
  readonly list: readonly string[];
  /** Variables of the environment that name a proxy to go through, if there is one. */
  readonly proxies: Readonly<Record<string, string>>;
}

/** What this machine's own apt is configured to use for the release; Debian's public mirror where that is none, or not Debian's. */
export async function aptSources(): Promise<AptSources> {
  const format = '$(REPO_URI) $(RELEASE) $(LABEL) $(COMPONENT)';
  const targets = await runProgram(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'], { timeoutMs });
  const configured = parseIndexTargets(targets.exitCode === 0 ? targets.stdout : '');
  return { ...configured, proxies: await proxies() };
}

/** Those of the environment; else apt's own. */
async function proxies(): Promise<Record<string, string>> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy'];
  const given = names
    .map((name) => [name, process.env[name] ?? process.env[name.toUpperCase()] ?? ''] as const)
    .filter(([, value]) => value !== '');
  if (given.length > 0) return Object.fromEntries(given);
  const { stdout } = await runProgram(['apt-config', 'dump', '--format', '%v%n', 'Acquire::http::Proxy'], { timeoutMs });
  const [proxy = ''] = stdout.trim().split('\n');
  return proxy === '' || proxy === 'DIRECT' ? {} : { http_proxy: proxy };
}

/** Reads lines of `URI RELEASE LABEL COMPONENT`. */
export function parseIndexTargets(text: string): Pick<AptSources, 'mirror' | 'list'> {
  const targets = text
    .split('\n')
    .map((line) => line.split(' '))
    .filter(
      ([uri = '', suite = '', label = '']) => /^https?:/.test(uri) && suite.startsWith(release) && /^Debian(-Security)?$/.test(label),
    );
  const main = targets.find(([, suite, , component]) => suite === release && component === 'main');
  if (main === undefined) return { mirror: publicMirror, list: [`deb ${publicMirror} ${release} main`] };
  const list = targets.filter(([, , , component]) => component === 'main').map(([uri, suite]) => `deb ${uri} ${suite} main`);
  return { mirror: main[0] ?? publicMirror, list };
}
