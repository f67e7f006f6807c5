/**
 * Runs the commands of ip(8) on its standard input, all of them, then writes pairs of a path below /proc/sys and a value. Its status is that of ip, or
 * 3 when a value cannot be written.
 */
export const networkScript = `
ip -force -batch -; status=$?
while [ $# -gt 1 ]; do echo "$2" >"/proc/sys/$1" || exit 3; shift 2; done
exit $status`;

/** The first command that failed, with why, in what `ip -force -batch` says of a list of them. One that finds its work done, or nothing to remove, is none. */
export function failureIn(stderr: string, commands: readonly string[]): string | undefined {
  for (const match of stderr.matchAll(/((?:.*\n)*?)Command failed -:(\d+)\n?/g)) {
    const command = commands[Number(match[2]) - 1] ?? '';
    const said = (match[1] ?? '').trim().replaceAll('\n', ' ').slice(0, 300);
    if (/ del /.test(command) || (command.startsWith('rule add ') && said.endsWith('File exists'))) continue;
    return `ip ${command}: ${said}`;
  }
  return undefined;
}
