import type { ConfigLanguage, GuestAccess } from '../../../domain/middlebox.ts';
import { NfioError } from '../../../errors/index.ts';
import { parseRoute, parseRoutes, type Route } from './parse.ts';

/** Number in the routes' protocol field (rt_protos(5)) that tells ours from all others. */
const protocol = '110';

const listScript = 'ip -4 route show table all protocol "$1" && ip -6 route show table all protocol "$1"';

/** Marks that ip-route prints behind a route and does not take. */
const marks = new Set(['linkdown', 'dead', 'offload', 'trap', 'rt_offload', 'rt_trap']);

/** Static routes in the syntax of ip-route(8). Either all of a new configuration's routes are there in the end, or those of the old. */
export function routes(): ConfigLanguage {
  return {
    name: 'routes',
    async check({ text }) {
      parseRoutes(text);
    },
    async apply({ text }, guest) {
      const wanted = parseRoutes(text);
      const present = await listRoutes(guest);
      if (wanted.length === 0 && present.length === 0) return;
      const failure = await change(guest, wanted, present);
      if (failure === undefined) return;
      const left = await change(guest, present, await listRoutes(guest));
      const rest = left === undefined ? '' : `; the routes from before could not all be put back (${left.said}): restart the VNF`;
      const line = failure.route === undefined ? '' : ` line ${failure.route.line}`;
      throw new NfioError('ConfigurationError', { message: `nf_conf${line}: ${failure.said}${rest}` });
    },
    // A port that is down takes its routes with it: they cannot be there, and the others can.
    async restore({ text }, guest) {
      const stdin = commandsOf(parseRoutes(text).map((route) => ({ route, verb: 'replace' })));
      if (stdin !== '') await guest.executeInNetwork({ argv: ['ip', '-force', '-batch', '-'], stdin });
    },
  };
}

interface Failure {
  readonly route: Route | undefined;
  readonly said: string;
}

/** Puts the wanted routes in place, then removes the present ones that are not wanted. In one process, which stops at the first failure. */
async function change(guest: GuestAccess, wanted: readonly Route[], present: readonly Route[]): Promise<Failure | undefined> {
  const keys = new Set(wanted.map(({ key }) => key));
  const commands = [
    ...wanted.map((route) => ({ route, verb: 'replace' })),
    ...present.filter(({ key }) => !keys.has(key)).map((route) => ({ route, verb: 'delete' })),
  ];
  if (commands.length === 0) return undefined;
  const result = await guest.executeInNetwork({ argv: ['ip', '-batch', '-'], stdin: commandsOf(commands) });
  if (result.exitCode === 0) return undefined;
  const number = /^Command failed -:(\d+)$/m.exec(result.stderr)?.[1];
  const said = result.stderr.split('\n').find((line) => line !== '') ?? `ip ended with status ${result.exitCode}`;
  return {
    route: number === undefined ? undefined : commands[Number(number) - 1]?.route,
    said: said.replace(/^(Error|RTNETLINK answers): /, ''),
  };
}

function commandsOf(commands: readonly { readonly route: Route; readonly verb: string }[]): string {
  return commands.map(({ route, verb }) => `route ${verb} ${route.words.join(' ')} protocol ${protocol}\n`).join('');
}

/** The routes that an earlier configuration made. */
async function listRoutes(guest: GuestAccess): Promise<Route[]> {
  const result = await guest.executeInNetwork({ argv: ['sh', '-c', listScript, 'sh', protocol] });
  if (result.exitCode !== 0)
    throw new NfioError('ConfigurationError', { message: `nf_conf: the routes cannot be listed: ${result.stderr.split('\n')[0]}` });
  return result.stdout
    .split('\n')
    .map((line) =>
      line
        .replace(/ error -?\d+/, '')
        .split(/\s+/)
        .filter((word) => word !== '' && !marks.has(word)),
    )
    .filter((words) => words.length > 0)
    .map((words) => parseRoute(words, 0));
}
