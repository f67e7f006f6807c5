import type { ExecuteResult } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';

/** Stands between what is said of commands of ip and of those with `-6`. */
const between = 'nfio: ip -6';

/**
 * Runs the commands of ip(8) on its standard input, all of them, then writes pairs of a path below /proc/sys and a value, its arguments. Last come
 * lines of that input with `sysctl` before a path, a value, and a path for kernels without the first one, and then those with `-6`. Its status is that of
 * ip, or 3 when a value cannot be written.
 */
export const networkScript = `
commands= settings= ipv6=
while IFS= read -r line; do
  case $line in
  'sysctl '*) settings="$settings\${line#sysctl }
" ;;
  '-6 '*) ipv6="$ipv6\${line#-6 }
" ;;
  *) commands="$commands$line
" ;;
  esac
done
status=0
[ -z "$commands" ] || printf %s "$commands" | ip -force -batch - || status=$?
while [ $# -gt 1 ]; do echo "$2" >"/proc/sys/$1" || exit 3; shift 2; done
printf %s "$settings" | while read -r path value other; do
  [ -e "/proc/sys/$path" ] || path=\${other:-$path}
  echo "$value" >"/proc/sys/$path" || exit 3
done || exit 3
[ -n "$ipv6" ] || exit $status
echo '${between}' >&2
printf %s "$ipv6" | ip -6 -force -batch - || status=$?
exit $status`;

/** Checks how the script went. What finds its work done, or nothing to remove, has not failed. @throws NetworkError with what ip said of the first command that did. */
export function checkNetworkScript(commands: readonly string[], { exitCode, stderr }: Pick<ExecuteResult, 'exitCode' | 'stderr'>): void {
  const failure = failureIn(stderr, commands) ?? (exitCode > 1 ? stderr.slice(0, 300) || `exit status ${exitCode}` : undefined);
  if (failure !== undefined) throw new NfioError('NetworkError', { message: failure });
}

const mayBeDone = /^(-6 )?rule add |^link add name \S+ index \d+ type bridge /;

export function failureIn(stderr: string, commands: readonly string[]): string | undefined {
  const [said = '', saidOfIpv6 = ''] = stderr.split(`${between}\n`);
  const isIpv6 = (command: string): boolean => command.startsWith('-6 ');
  const others = commands.filter((command) => !isIpv6(command) && !command.startsWith('sysctl '));
  return failedCommand(said, others) ?? failedCommand(saidOfIpv6, commands.filter(isIpv6));
}

function failedCommand(stderr: string, commands: readonly string[]): string | undefined {
  for (const match of stderr.matchAll(/((?:.*\n)*?)Command failed -:(\d+)\n?/g)) {
    const command = commands[Number(match[2]) - 1] ?? '';
    const said = (match[1] ?? '').trim().replaceAll('\n', ' ').slice(0, 300);
    if (/ del /.test(command) || (mayBeDone.test(command) && said.endsWith('File exists'))) continue;
    return `ip ${command}: ${said}`;
  }
  return undefined;
}
