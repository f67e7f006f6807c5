import type { Command, OptionSpec } from './command.ts';
import { listedOptions } from './help.ts';

/** Shells that completion scripts can be made for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/**
 * A completion script. All words in it are names of commands, options and types: nothing that needs quoting.
 *
 * @param types that have an image, for `nfio images build`.
 */
export function completionScript(shell: Shell, commands: readonly Command[], types: readonly string[]): string {
  if (shell === 'bash') return bash(commands, types);
  return shell === 'zsh' ? zsh(commands, types) : fish(commands, types);
}

/** Prints the mountpoints of nf.io, a line each. Asks the kernel, no mount: one that hangs cannot hang the shell. */
const listMountpoints = 'findmnt -nlo TARGET -t fuse.nfio';

/** What a command's operands may be, as far as it is a fixed list. */
function operandWords({ operandChoices = [], completes }: Command, types: readonly string[]): readonly string[] {
  return [...operandChoices, ...(completes === 'types' ? types : [])];
}

function names(commands: readonly Command[]): string {
  return [...commands.map((command) => command.name), 'help'].join(' ');
}

function optionNames(command: Command): string {
  return [...listedOptions(command).map(([name]) => `--${name}`), '--help'].join(' ');
}

/** How a shell completes what follows an option, or is an operand: to words, to what is in the file system, or not at all. */
interface Completers {
  words(words: string): string;
  readonly directories: string;
  readonly files: string;
  readonly nothing: string;
}

/** A case arm for each option that takes a value. */
function valueArms(commands: readonly Command[], completers: Completers): string {
  const options = new Map(commands.flatMap((command) => listedOptions(command).filter(([, spec]) => spec.type === 'string')));
  return [...options].map(([name, spec]) => `    --${name}) ${completerOf(spec, completers)}; return ;;\n`).join('');
}

function completerOf({ choices, value }: OptionSpec, completers: Completers): string {
  if (choices !== undefined) return completers.words(choices.join(' '));
  if (value === 'DIR') return completers.directories;
  return value === 'PATH' ? completers.files : completers.nothing;
}

const inBash: Completers = {
  words: (words) => `mapfile -t COMPREPLY < <(compgen -W '${words}' -- "$word")`,
  directories: 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$word")',
  files: 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word")',
  nothing: 'COMPREPLY=()',
};

function bash(commands: readonly Command[], types: readonly string[]): string {
  const arms = commands.map((command) => {
    const words = operandWords(command, types).join(' ');
    const mounts = command.completes === 'mountpoints' ? ' mounts=1' : '';
    const files = command.completes === 'files' ? ' kind=-f' : '';
    return `    ${command.name}) words='${words}' options='${optionNames(command)}'${mounts}${files} ;;\n`;
  });
  return `# bash completion for nfio
_nfio() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words='' options='' mounts='' kind=-d mount IFS=$' \\t\\n'
  COMPREPLY=()
  case $before in
${valueArms(commands, inBash)}  esac
  if ((COMP_CWORD == 1)); then
    ${inBash.words(`${names(commands)} --help --version`)}
    return
  fi
  case \${COMP_WORDS[1]} in
${arms.join('')}    help) words='${names(commands)}' ;;
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if [[ $mounts ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r mount; do [[ $mount != "$word"* ]] || COMPREPLY+=("$mount"); done < <(${listMountpoints})
  fi
  if [[ \${#COMPREPLY[@]} -eq 0 && ! $words ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen $kind -- "$word")
  fi
}
complete -F _nfio nfio
`;
}

const inZsh: Completers = {
  words: (words) => `compadd -- ${words}`,
  directories: '_directories',
  files: '_files',
  nothing: "_message 'a value'",
};

function zsh(commands: readonly Command[], types: readonly string[]): string {
  const described = commands.map((command) => `    '${command.name}:${command.summary.replaceAll("'", '')}'\n`);
  const arms = commands.map((command) => {
    const words = [...operandWords(command, types), optionNames(command)].join(' ');
    const paths = command.completes === 'files' ? inZsh.files : inZsh.directories;
    const more = command.completes === 'mountpoints' ? `compadd -- \${(f)"$(${listMountpoints})"}` : paths;
    return `    ${command.name}) compadd -- ${words}; ${more} ;;\n`;
  });
  return `#compdef nfio
_nfio() {
  local -a commands
  commands=(
${described.join('')}    'help:Show the help of a command'
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  case \${words[CURRENT - 1]} in
${valueArms(commands, inZsh)}  esac
  case \${words[2]} in
${arms.join('')}    help) _describe command commands ;;
  esac
}
compdef _nfio nfio
`;
}

function fish(commands: readonly Command[], types: readonly string[]): string {
  const lines = commands.flatMap((command) => {
    const here = `-n '__fish_seen_subcommand_from ${command.name}'`;
    const options = listedOptions(command).map(([name, spec]) => {
      const choices = spec.choices === undefined ? '' : ` -f -a '${spec.choices.join(' ')}'`;
      return `complete -c nfio ${here} -l ${name}${spec.type === 'string' ? ' -r' : ''}${choices} -d '${spec.summary.replaceAll("'", '')}'`;
    });
    const words = operandWords(command, types);
    const operands = words.length === 0 ? [] : [`complete -c nfio ${here} -f -a '${words.join(' ')}'`];
    if (command.completes === 'mountpoints') operands.push(`complete -c nfio ${here} -f -a '(${listMountpoints})'`);
    return [
      `complete -c nfio -n __fish_use_subcommand -f -a ${command.name} -d '${command.summary.replaceAll("'", '')}'`,
      ...options,
      ...operands,
    ];
  });
  const help = `complete -c nfio -n '__fish_seen_subcommand_from help' -f -a '${names(commands)}'`;
  return ['# fish completion for nfio', ...lines, help, ''].join('\n');
}
