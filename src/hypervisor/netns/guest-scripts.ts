import { lstat, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';

/** The name that init's arguments begin with. */
export const guestLabel = 'nfio-guest';

/** Name of the file that init is, as /proc/PID/cmdline shows it. */
export const initFile = 'guest-init.sh';

/** Name of the file that starts guests. */
export const launcherFile = 'guest-launcher.sh';

/** Stands for a newline in a word of a request. */
export const newlineMark = '\u0001';

/**
 * Starts guests from outside, with the machine's own root directory: a small process that forks in a tenth of the time node
 * needs. A request on its standard input is a number and so many words, one a line: the guest's directory, the id to report by,
 * the cgroup files to join, the bounding set, the number of environment variables, these, then init's arguments. It reports on
 * its standard output: "ID pid N", then "ID ready N" or "ID fail STEP"; what failed tells why in the file setup.
 *
 * Once the guest's root is in place no program may run in it with more than the guest's own capabilities, for the guest wrote
 * those files. So the machine's mounts, which pivot_root left at /dev, are unmounted from here, by the machine's own umount.
 */
const launcherScript = `
set -f
newline='
'
mark='${newlineMark}'
fail() { echo "$NFIO_ID fail $1"; exit 1; }
start() {
  export NFIO_ID="$2"
  exec 3>&1 </dev/null
  cd "$1" && exec 2>setup 4>>log || fail directory
  for procs in $3; do echo 0 >"$procs" || fail cgroup; done
  export NFIO_BOUNDING="$4"
  variables=$5
  shift 5
  while [ "$variables" -gt 0 ]; do
    export "NFIO_ENV_$1"
    variables=$((variables - 1))
    shift
  done
  setsid unshare --net --mount --uts --ipc --pid -- sh "$NFIO_RUN/${initFile}" "$@" | {
    read -r pid || fail setup
    nsenter --target "$pid" --mount --root=/ -- umount --no-canonicalize --lazy "/proc/$pid/root/dev" >&2 || fail 'old root'
    echo "$NFIO_ID ready $pid"
  }
}
while IFS= read -r count; do
  set --
  while [ "$count" -gt 0 ]; do
    IFS= read -r word || exit
    while :; do
      case $word in
        *"$mark"*) word=\${word%%"$mark"*}$newline\${word#*"$mark"} ;;
        *) break ;;
      esac
    done
    set -- "$@" "$word"
    count=$((count - 1))
  done
  (start "$@" &)
done
`;

/**
 * Pid 1 of a guest. It makes the mounts and ports, then only waits. It keeps its capabilities, which puts it out of the guest's
 * reach: ptrace(2) and /proc/1/* need at least as many. Arguments after the label: the number of environment names, the
 * names, the command (none: the guest just holds its namespaces). Everything run here is loaded before pivot_root; the main
 * process says so itself.
 */
const initScript = `
{
  fail() { echo "$NFIO_ID fail $1" >&3; exit 1; }
  settings() {
    while read -r path value; do
      [ -e "/proc/sys/$path" ] || [ "$1" = all ] || continue
      printf '%s' "$value" >"/proc/sys/$path" || fail "sysctl $path"
    done <sysctl
  }
  read -r pid rest </proc/self/stat
  echo "$NFIO_ID pid $pid" >&3
  printf '%s' "$5" >/proc/sys/kernel/hostname || fail hostname
  shift 5
  settings existing
  ip -batch ports >&2 || fail ports
  settings all
  mount --all --fstab fstab >&2 || fail mounts
  if [ $# -eq 1 ]; then
    exec 9<>"$NFIO_RUN/never"
    (exec <&9 >/dev/null 2>&1 3>&- 4>&- 9>&-; read -r never) &
    main=$!
    exec 9>&-
  else
    rm -f loaded go && mkfifo -m 600 loaded go || fail fifo
    {
      cd /
      if [ "$NFIO_BOUNDING" = '' ]; then exec sh "$NFIO_RUN/guest-command.sh" "$@"; fi
      exec setpriv --no-new-privs --inh-caps=-all --bounding-set="$NFIO_BOUNDING" -- sh "$NFIO_RUN/guest-command.sh" "$@"
    } >&4 2>&4 3>&- 4>&- </dev/null 5<>go 7>loaded &
    main=$!
    read -r loaded <loaded || fail command
  fi
  trap 'kill -TERM "$main" 2>/dev/null' TERM
  exec 8>exit
  cd root && pivot_root . dev || fail root
  echo "$pid"
  exec >&4 2>&4 3>&- 4>&-
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
read -r go <&5 && [ "$go" = go ] || exit 1
exec 5>&-
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

/** Writes the scripts to a directory. Running guests keep the ones they began with. */
export async function writeGuestScripts(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const scripts = { [launcherFile]: launcherScript, [initFile]: initScript, 'guest-command.sh': commandScript };
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
