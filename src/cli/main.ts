import { NfioError } from '../errors/index.ts';
import { readVersion } from '../version.ts';
import type { Command, Terminal } from './command.ts';
import { commands } from './commands/index.ts';
import { commandHelp, generalHelp } from './help.ts';
import { parseLine } from './parse.ts';
import { didYouMean } from './suggest.ts';
import { processTerminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Exit statuses of nfio. */
export const ExitStatus = { ok: 0, failure: 1, usage: 2 } as const;

/** Runs the nfio command line. Resolves to the exit status; never rejects. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    return await dispatch(argv, terminal);
  } catch (error) {
    return report(error, terminal);
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    terminal.err(generalHelp(commands, terminal.interactive));
    return ExitStatus.usage;
  }
  if (first === '--version' || first === '-V') {
    terminal.out(`nfio ${await readVersion()}\n`);
    return ExitStatus.ok;
  }
  if (first === '--help' || first === '-h' || first === 'help') return help(rest[0], terminal);
  const { name, args } = commandIn(argv);
  const command = findCommand(name);
  const line = parseLine(command, args);
  if (line.help) return help(command.name, terminal);
  return command.run({ values: line.values, operands: line.operands, terminal });
}

/**
 * The command of a line, and its arguments. Options may come before it: `nfio --json status`. The original prototype had no commands: its
 * flags alone mount.
 */
function commandIn(argv: readonly string[]): { readonly name: string; readonly args: readonly string[] } {
  const original = argv.some((each) => each.startsWith('--nfio_'));
  const names = new Set(commands.map(({ name }) => name));
  const first = argv.findIndex((each) => names.has(each));
  const at = argv[0]?.startsWith('-') === true ? (original ? -1 : first) : 0;
  return at < 0 ? { name: 'mount', args: argv } : { name: argv[at] ?? '', args: argv.toSpliced(at, 1) };
}

function findCommand(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = [...commands.map((candidate) => candidate.name), 'help'];
  throw new UsageError(`There is no command ${name}.${didYouMean(name, names)}`);
}

function help(name: string | undefined, terminal: Terminal): number {
  const text =
    name === undefined || name === 'help'
      ? generalHelp(commands, terminal.interactive)
      : commandHelp(findCommand(name), terminal.interactive);
  terminal.out(text);
  return ExitStatus.ok;
}

/** Says what went wrong as a sentence; the stack only when NFIO_DEBUG is set. */
function report(error: unknown, terminal: Terminal): number {
  if (error instanceof UsageError) {
    terminal.err(`nfio: ${error.message}\nSee: nfio help${error.command === undefined ? '' : ` ${error.command}`}\n`);
    return ExitStatus.usage;
  }
  const message = error instanceof Error ? error.message : String(error);
  const unexpected = !(error instanceof NfioError);
  terminal.err(`nfio: ${message}\n`);
  if (process.env['NFIO_DEBUG'] && error instanceof Error) terminal.err(`${describe(error)}\n`);
  else if (unexpected) terminal.err('This was not foreseen. Set NFIO_DEBUG=1 to see where it happened.\n');
  return ExitStatus.failure;
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${describe(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
