/** Most memory (address space) that a program may take to read what a user wrote, bytes: fifty times of what it needs for rules of a megabyte. */
export const memoryLimitBytes = 512 * 1024 * 1024;
/** Seconds of processor time. */
const processorLimit = 30;

/** A user that has no files: below nobody (65534), which daemons and users of other machines may be. */
const user = 65_533;
/** All that is left of root's power: over the network namespace that the program is in. */
const capabilities = '-all,+net_admin,+net_raw';

/**
 * The command by which a program of this machine is run that reads what a user wrote (nft(8), tc(8), ip(8), qemu-img(1)): as a user of its own, who can read what everybody can, write no file,
 * and change nothing but the network that it runs in; with limits of memory and time, as a short text can ask for much. It has to be in that network already.
 *
 *   ['unshare', '--net', ...limitedProgram(['nft', '-c', '-f', '-'])]
 *
 * See setpriv(1), prlimit(1), capabilities(7).
 */
export function limitedProgram(argv: readonly string[]): readonly [string, ...string[]] {
  return [
    'setpriv',
    ...[`--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs'],
    ...[`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`, `--bounding-set=${capabilities}`],
    ...['prlimit', `--as=${memoryLimitBytes}`, `--cpu=${processorLimit}`, '--fsize=0', '--core=0', '--', ...argv],
  ];
}
