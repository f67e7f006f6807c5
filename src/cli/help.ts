import type { Command, OptionSpec } from './command.ts';
import { columns, paint } from './terminal.ts';

/** What `nfio --help` prints. */
export function generalHelp(commands: readonly Command[], interactive: boolean): string {
  const heading = (text: string): string => paint(interactive, 'bold', text);
  return [
    'nfio - network functions as a file system\n',
    `${heading('Usage:')} nfio COMMAND [OPTION…] [ARGUMENT…]\n`,
    heading('Commands:'),
    columns([
      ...commands.map((command) => [`  ${command.name}`, command.summary]),
      ['  help', 'Show the help of a command: nfio help mount'],
    ]),
    heading('Options:'),
    columns([
      ['  -h, --help', 'Show this help'],
      ['  -V, --version', 'Show the version'],
    ]),
    heading('Examples:'),
    columns([
      ['  nfio doctor', 'See what this machine can do'],
      ['  nfio demo', 'Watch a firewall drop and count real packets'],
      ['  nfio mount /nfio', 'Mount the file system'],
    ]),
    'Exit status: 0 success, 1 failure, 2 a command line that makes no sense.',
    "The original prototype's flags mount as well: nfio --nfio_root DIR --nfio_mount DIR\n",
  ].join('\n');
}

/** What `nfio help COMMAND` prints. */
export function commandHelp(command: Command, interactive: boolean): string {
  const heading = (text: string): string => paint(interactive, 'bold', text);
  const options = listedOptions(command).map(([name, spec]) => [
    `  --${name}${spec.type === 'string' ? ` ${placeholder(spec)}` : ''}`,
    spec.summary,
  ]);
  return [
    `nfio ${command.name} - ${command.summary}\n`,
    `${heading('Usage:')} nfio ${[command.name, '[OPTION…]', ...command.operands, ...(command.rest === undefined ? [] : [`[${command.rest}]…`])].join(' ')}\n`,
    `${command.description}\n`,
    heading('Options:'),
    columns([...options, ['  -h, --help', 'Show this help']]),
    heading('Examples:'),
    columns(command.examples.map((example) => [`  ${example.command}`, example.does])),
  ].join('\n');
}

/** Options that help and completion show. */
export function listedOptions(command: Command): readonly (readonly [string, OptionSpec])[] {
  return Object.entries(command.options).filter(([, spec]) => spec.hidden !== true);
}

function placeholder(spec: OptionSpec): string {
  return spec.choices === undefined ? (spec.value ?? 'VALUE') : spec.choices.join('|');
}
