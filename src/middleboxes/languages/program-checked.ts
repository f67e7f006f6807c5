import type { ConfigLanguage, GuestAccess } from '../../domain/middlebox.ts';
import { NfioError } from '../../errors/index.ts';

/** A service that can check its own configuration, and take a new one without stopping. Each is an argument array. */
export interface CheckedProgram {
  readonly name: string;
  readonly check: (configPath: string) => readonly string[];
  /** In the foreground. */
  readonly run: (configPath: string) => readonly string[];
  readonly reload: (configPath: string) => readonly string[];
  /** Finds the line, and what is wrong with it, in what the check printed. */
  readonly complaint: RegExp;
}

/**
 * The guest's own copy of its configuration: a save that is refused cannot harm what runs, nor one that restarts. A link to each
 * other file of config/ is beside it, so that relative paths in it work.
 */
const directory = '/run/nfio';
const active = `${directory}/nf_conf`;
const candidate = `${directory}/candidate`;
const link = `mkdir -p ${directory}; for f in /etc/nfio/*; do [ "$f" = /etc/nfio/nf_conf ] || ln -sfn "$f" ${directory}/; done`;

const maxBytes = 1024 * 1024;

/** Longest that a service may take from its start until it can be told to reload, and longest that a refused one stays. Seconds. */
const patience = 5;

/**
 * Takes the configuration, checks it, and becomes the service. "$1" is the number of words of the service's command, which come next;
 * those of the check follow. A guest whose configuration is refused stays a moment: apply() can then ask what is wrong with it.
 */
const serve = `${link}; cp /etc/nfio/nf_conf ${active} || exit 1
n=$1; shift
if (shift "$n"; exec "$@"); then
  i=0; while [ $i -lt "$n" ]; do set -- "$@" "$1"; shift; i=$((i + 1)); done
  shift $(($# - n))
  exec "$@"
fi
sleep ${patience}; exit 1`;

/** Writes standard input to the file "$1" whole, and becomes the rest of the arguments. */
const stage = `${link}; cat > "$1.new" && mv "$1.new" "$1" && shift && exec "$@"`;

/** Does that, and repeats the rest of the arguments until they succeed: a service that has just started may not listen yet. */
const stageAndReload = `${link}; cat > "$1.new" && mv "$1.new" "$1" && shift || exit 1
i=0; until "$@" >/dev/null 2>&1; do i=$((i + 1)); [ $i -lt ${patience * 20} ] || exec "$@"; sleep 0.05; done`;

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
    async check({ text }, guest) {
      if (guest !== undefined) await check(text, guest);
    },
    async apply({ text }, guest) {
      await check(text, guest);
      const argv = ['/bin/sh', '-c', stageAndReload, 'nfio-apply', active, ...program.reload(active)];
      const { exitCode, stdout, stderr } = await guest.execute({ argv, stdin: text });
      if (exitCode !== 0) throw refuse(`${program.name} does not run or did not take nf_conf: ${lastLine(`${stdout}\n${stderr}`)}`);
    },
  };
}

function complaintOf(program: CheckedProgram, output: string): string {
  const { line, said } = program.complaint.exec(output)?.groups ?? {};
  if (line !== undefined && said !== undefined) return `nf_conf line ${line}: ${said.replaceAll(candidate, 'nf_conf').trim()}`;
  return `nf_conf: ${lastLine(output).replaceAll(candidate, 'nf_conf')}`;
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}

function refuse(message: string): NfioError {
  return new NfioError('ConfigurationError', { message });
}

function missing(program: CheckedProgram): NfioError {
  return new NfioError('MissingToolError', { message: `${program.name} is not installed in the guest: apt-get install ${program.name}` });
}
