import { lstat, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';

/**
 * Starts a guest from outside, with the machine's own root directory. Environment: NFIO_DIR the guest's directory, NFIO_RUN
 * where these scripts are, NFIO_CGROUPS the cgroup files to join. Arguments: the label (label, mount, id, type, name), then as
 * init takes them. Descriptor 3 reports: "pid N", "ready N" or "fail STEP" after the words of what failed; 1 is the log.
 *
 * Once the guest's root is in place no program may run in it with more than the guest's own capabilities, for the guest wrote
 * those files. So the machine's mounts, which pivot_root left at /dev, are unmounted from here, by the machine's own umount.
 */
const startScript = `
exec 4>&1 2>&3
fail() { echo "fail $1" >&3; exit 1; }
set -f
cd "$NFIO_DIR" || fail directory
for procs in $NFIO_CGROUPS; do echo 0 >"$procs" || fail cgroup; done
unshare --net --mount --uts --ipc --pid -- sh "$NFIO_RUN/guest-init.sh" "$@" | {
  read -r pid || exit 1
  nsenter --target "$pid" --mount --root=/ -- umount --no-canonicalize --lazy "/proc/$pid/root/dev" || fail 'old root'
  echo "ready $pid" >&3
}
`;

/**
 * Pid 1 of a guest. It makes the mounts and ports, then only waits. It keeps its capabilities, which puts it out of the guest's
 * reach: ptrace(2) and /proc/1/* need at least as many. Arguments after the label: the number of environment names, the
 * names, the command (none: the guest just holds its namespaces). Everything run here is loaded before pivot_root; the main
 * process says so itself.
 */
const initScript = `
{
  fail() { echo "fail $1" >&3; exit 1; }
  settings() {
    while read -r path value; do
      [ -e "/proc/sys/$path" ] || [ "$1" = all ] || continue
      printf '%s' "$value" >"/proc/sys/$path" || fail "sysctl $path"
    done <sysctl
  }
  read -r pid rest </proc/self/stat
  echo "pid $pid" >&3
  printf '%s' "$5" >/proc/sys/kernel/hostname || fail hostname
  shift 5
  settings existing
  ip -batch ports >&3 || fail ports
  settings all
  mount --all --fstab fstab >&3 || fail mounts
  if [ $# -eq 1 ]; then
    exec 9<>"$NFIO_RUN/never"
    (exec <&9 3>&- 4>&- 9>&-; read -r never) &
    main=$!
    exec 9>&-
  else
    rm -f loaded && mkfifo -m 600 loaded || fail fifo
    {
      cd /
      if [ "$NFIO_BOUNDING" = '' ]; then exec sh "$NFIO_RUN/guest-command.sh" "$@"; fi
      exec setpriv --no-new-privs --inh-caps=-all --bounding-set="$NFIO_BOUNDING" -- sh "$NFIO_RUN/guest-command.sh" "$@"
    } >&4 2>&4 4>&- </dev/null 7>loaded &
    main=$!
    read -r loaded <loaded || fail command
  fi
  trap 'kill -TERM "$main" 2>/dev/null' TERM
  exec 8>exit
  cd root && pivot_root . dev || fail root
  echo "$pid"
  exec >&4 2>&4 4>&-
  while :; do
    wait "$main"
    code=$?
    kill -0 "$main" 2>/dev/null || break
  done
  echo "$code" >&8
  exit "$code"
} &
`;

/**
 * The guest's main process until it is told "go": already without the capabilities it must not have, not yet in the guest's own
 * files. It begins at /, so that pivot_root takes it along, working directory and all: nothing leads back to the machine.
 */
const commandScript = `
echo loaded >&7
exec 7>&-
read -r go <&3 && [ "$go" = go ] || exit 1
exec 3>&-
names=$1
shift
words=$(($# - names))
while [ "$names" -gt 0 ]; do
  eval "set -- \\"\\$@\\" \\"\\$1=\\$NFIO_ENV_$1\\""
  shift
  names=$((names - 1))
done
while [ "$words" -gt 0 ]; do
  set -- "$@" "$1"
  shift
  words=$((words - 1))
done
exec env --ignore-environment --default-signal=INT,QUIT "$@"
`;

/** Joins the cgroup files named by the first argument, then becomes the command that follows. */
export const joinScript = `
set -f
for procs in $1; do echo 0 >"$procs" || exit 125; done
shift
exec "$@"
`;

/** The name that init's arguments begin with. */
export const guestLabel = 'nfio-guest';

/** Name of the file that init is, as /proc/PID/cmdline shows it. */
export const initFile = 'guest-init.sh';

/** Writes the scripts to a directory. Running guests keep the ones they began with. */
export async function writeGuestScripts(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const scripts = { 'guest-start.sh': startScript, [initFile]: initScript, 'guest-command.sh': commandScript };
  for (const [name, text] of Object.entries(scripts)) {
    const temporary = join(directory, `.${name}.${process.pid}`);
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, join(directory, name));
  }
  await makeFifo(join(directory, 'never'));
}

/** What the guests without a main process read from: nobody ever writes to it, and a shell that reads costs less than another program. */
async function makeFifo(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined))?.isFIFO() === true) return;
  const made = await runProgram(['mkfifo', '--mode=0600', path], { signal: AbortSignal.timeout(10_000) });
  if (made.exitCode !== 0) throw new NfioError('VNFDeployError', { message: `a FIFO could not be made: ${made.stderr.trim()}` });
}
