import { parseArgs } from 'node:util';
import { choose } from '../domain/choice.ts';
import type { Command, OptionSpec, OptionTable } from './command.ts';
import { didYouMean } from './suggest.ts';
import { UsageError } from './usage-error.ts';

/** A command line taken apart. */
export interface ParsedLine {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly operands: readonly string[];
  /** `--help` was among the options; nothing else was checked then. */
  readonly help: boolean;
}

/** Takes the arguments of a command apart. Throws UsageError for what the command does not know. */
export function parseLine(command: Command, argv: readonly string[]): ParsedLine {
  const names = longNames(command.options);
  const types = Object.fromEntries([...names].map(([name, { spec }]) => [name, { type: spec.type }]));
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...types, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const values: Record<string, string | boolean | undefined> = {};
  for (const [name, spec] of Object.entries(command.options)) values[name] = spec.type === 'boolean' ? false : undefined;
  const operands: string[] = [];
  const help = tokens.some((token) => token.kind === 'option' && token.name === 'help');
  if (help) return { values, operands, help };

  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const known = names.get(token.name);
    if (known === undefined || !token.rawName.startsWith('--')) {
      throw new UsageError(
        `${token.rawName} is not an option of nfio ${command.name}.${didYouMeanOption(token.name, command)}`,
        command.name,
      );
    }
    const value = optionValue(token, known.spec, command.name);
    if (known.spec.operand === true) operands.push(String(value));
    else values[known.name] = value;
  }
  checkOperands(command, operands);
  return { values, operands, help };
}

/** Every long name, aliases included, with the option it stands for. */
function longNames(options: OptionTable): ReadonlyMap<string, { readonly name: string; readonly spec: OptionSpec }> {
  return new Map(
    Object.entries(options).flatMap(([name, spec]) =>
      [name, ...(spec.aliases ?? [])].map((spelling) => [spelling, { name, spec }] as const),
    ),
  );
}

function didYouMeanOption(name: string, command: Command): string {
  const all = [...longNames(command.options).keys(), 'help'].map((option) => `--${option}`);
  return didYouMean(`--${name}`, all);
}

function optionValue(
  token: { readonly rawName: string; readonly value: string | undefined },
  spec: OptionSpec,
  command: string,
): string | boolean {
  if (spec.type === 'boolean') {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value.`, command);
    return true;
  }
  if (token.value === undefined || token.value === '') {
    throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${spec.value ?? 'VALUE'}.`, command);
  }
  if (spec.choices === undefined) return token.value;
  const { choices, synonyms } = spec;
  const choice = choose(token.value, synonyms === undefined ? { choices } : { choices, synonyms });
  if (choice !== undefined) return choice;
  throw new UsageError(`${token.rawName} is one of ${choices.join(', ')}, not ${token.value}.${didYouMean(token.value, choices)}`, command);
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const missing = command.operands[operands.length];
  if (missing !== undefined) throw new UsageError(`nfio ${command.name} needs ${missing}.`, command.name);
  const extra = operands[command.operands.length];
  if (extra !== undefined && command.rest === undefined)
    throw new UsageError(`nfio ${command.name} does not know what to do with ${extra}.`, command.name);
}
