import type { ConfigLanguage, GuestAccess } from '../../domain/middlebox.ts';
import { NfioError } from '../../errors/index.ts';
import { awaitPorts } from '../main-process.ts';

/** A service that can check its own configuration, and take a new one without stopping. Each is an argument array. */
export interface CheckedProgram {
  readonly name: string;
  readonly check: (configPath: string) => readonly string[];
  /** In the foreground. */
  readonly run: (configPath: string) => readonly string[];
  /** Ends with status 1 while the service cannot be told yet, and is run again then; with another when it did not take the configuration. */
  readonly reload: (configPath: string) => readonly string[];
  /** Finds the `file` and `line`, if there are, and what is `said` of them in what the check printed. Of several the first that finds something. */
  readonly complaint: RegExp | readonly RegExp[];
}

/**
 * The guest's own copy of its configuration: a save that is refused cannot harm what runs, nor one that restarts. A link to each
 * other file of config/ is beside it, so that relative paths in it work.
 */
const directory = '/run/nfio';
const active = `${directory}/nf_conf`;
const candidate = `${directory}/candidate`;
/** Not in that directory, where users' files may have any name. */
const staged = '/run/nfio.staged';
const before = '/run/nfio.before';
const link = `mkdir -p ${directory}; for f in /etc/nfio/*; do [ "$f" = /etc/nfio/nf_conf ] || ln -sfn "$f" ${directory}/; done`;

const maxBytes = 1024 * 1024;

/** Longest that a service may take from its start until it can be told to reload, and longest that a refused one stays. Seconds. */
const reloadPatience = 10;
const refusedPatience = 5;

/**
 * Takes the configuration, checks it, and becomes the service. "$1" is the number of words of the service's command, which come next;
 * those of the check follow. A guest whose configuration is refused stays a moment: apply() can then ask what is wrong with it.
 */
const serve = `${awaitPorts}${link}; cp /etc/nfio/nf_conf ${active} || exit 1
n=$1; shift
if (shift "$n"; exec "$@"); then
  i=0; while [ $i -lt "$n" ]; do set -- "$@" "$1"; shift; i=$((i + 1)); done
  shift $(($# - n))
  exec "$@"
fi
sleep ${refusedPatience}; exit 1`;

/** Writes standard input to the file "$1" whole, and becomes the rest of the arguments. */
const stage = `${link}; cat > ${staged} && mv ${staged} "$1" && shift && exec "$@"`;

/**
 * Does that, and repeats the rest of the arguments while their status is 1: a service that has just started may not listen yet. If
 * they do not succeed, the file is again what it was: the service may start anew by itself.
 */
const stageAndReload = `${link}; cat > ${staged} || exit 1
cp "$1" ${before} 2>/dev/null || cp ${staged} ${before}
mv ${staged} "$1"; file=$1; shift; end=$(($(date +%s) + ${reloadPatience}))
while said=$("$@" 2>&1); status=$?; [ $status -eq 1 ] && [ "$(date +%s)" -lt $end ]; do sleep 0.05; done
[ $status -eq 0 ] || mv ${before} "$file"
printf '%s\\n' "$said"; exit $status`;

/** The main process of a guest that runs the service. */
export function serviceCommand(program: CheckedProgram): readonly string[] {
  const run = program.run(active);
  return ['/bin/sh', '-c', serve, 'nfio-service', String(run.length), ...run, ...program.check(active)];
}

/**
 * The language of a service that checks its own configuration, in the guest. Without a guest nothing can be checked; then starting
 * it says what is wrong.
 */
export function programChecked(program: CheckedProgram): ConfigLanguage {
  const check = async (text: string, guest: GuestAccess): Promise<void> => {
    if (Buffer.byteLength(text) > maxBytes) throw refuse(`nf_conf is larger than ${maxBytes} bytes`);
    const argv = ['/bin/sh', '-c', stage, 'nfio-check', candidate, ...program.check(candidate)];
    const { exitCode, stdout, stderr } = await guest.execute({ argv, stdin: text });
    if (exitCode === 127) throw missing(program);
    if (exitCode !== 0) throw refuse(complaintOf(program, `${stderr}\n${stdout}`));
  };
  return {
    name: program.name,
    service: true,
    async check({ text }, guest) {
      if (guest !== undefined) await check(text, guest);
    },
    async apply({ text }, guest) {
      await check(text, guest);
      const argv = ['/bin/sh', '-c', stageAndReload, 'nfio-apply', active, ...program.reload(active)];
      const { exitCode, stdout, stderr } = await guest.execute({ argv, stdin: text });
      const said = lastLine(`${stdout}\n${stderr}`) || 'what it said is in log';
      if (exitCode !== 0) throw refuse(`${program.name} does not run or did not take nf_conf: ${said}`);
    },
  };
}

function complaintOf(program: CheckedProgram, output: string): string {
  const groups = [program.complaint].flat().map((complaint) => complaint.exec(output)?.groups);
  const { file = candidate, line, said = lastLine(output) } = groups.find((found) => found !== undefined) ?? {};
  return `${nameOf(file)}${line === undefined ? '' : ` line ${line}`}: ${said.replaceAll(candidate, 'nf_conf').trim()}`;
}

/** A file that a configuration includes has the name that it has in config/, or its path when it is not from there. */
function nameOf(file: string): string {
  return file === candidate || file === active ? 'nf_conf' : file.replace(new RegExp(`^(${directory}|/etc/nfio)/`), '');
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}

function refuse(message: string): NfioError {
  return new NfioError('ConfigurationError', { message });
}

function missing(program: CheckedProgram): NfioError {
  return new NfioError('MissingToolError', {
    message: `${program.name} is not installed in the guest. Run: apt-get install ${program.name}`,
  });
}
