import type { Command } from './command.ts';
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

/** A case arm for each option that has a fixed set of values. */
function choiceArms(commands: readonly Command[], arm: (option: string, choices: string) => string): string {
  const options = new Map(
    commands.flatMap((command) =>
      listedOptions(command).flatMap(([name, spec]) => (spec.choices === undefined ? [] : [[name, spec.choices.join(' ')] as const])),
    ),
  );
  return [...options].map(([name, choices]) => arm(`--${name}`, choices)).join('');
}

function bash(commands: readonly Command[], types: readonly string[]): string {
  const arms = commands.map((command) => {
    const mounts = command.completes === 'mountpoints' ? ' mounts=1' : '';
    return `    ${command.name}) words='${[...operandWords(command, types), optionNames(command)].join(' ')}'${mounts} ;;\n`;
  });
  return `# bash completion for nfio
_nfio() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words='' mounts='' IFS=$' \\t\\n'
  case $before in
${choiceArms(commands, (option, choices) => `    ${option}) COMPREPLY=($(compgen -W '${choices}' -- "$word")); return ;;\n`)}  esac
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${names(commands)} --help --version' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${arms.join('')}    help) words='${names(commands)}' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ $mounts && $word != -* ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r mount; do [[ $mount != "$word"* ]] || COMPREPLY+=("$mount"); done < <(${listMountpoints})
  fi
  if [[ \${#COMPREPLY[@]} -eq 0 ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -d -- "$word"))
  fi
}
complete -F _nfio nfio
`;
}

function zsh(commands: readonly Command[], types: readonly string[]): string {
  const described = commands.map((command) => `    '${command.name}:${command.summary.replaceAll("'", '')}'\n`);
  const arms = commands.map((command) => {
    const words = [...operandWords(command, types), optionNames(command)].join(' ');
    const more = command.completes === 'mountpoints' ? `compadd -- \${(f)"$(${listMountpoints})"}` : '_directories';
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
${choiceArms(commands, (option, choices) => `    ${option}) compadd -- ${choices}; return ;;\n`)}  esac
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
