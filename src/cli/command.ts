/** An option of a command, as help shows it and the parser takes it. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly summary: string;
  /** Placeholder of the value in help: DIR, LEVEL. Only for strings. */
  readonly value?: string;
  /** The only values taken, compared without regard to case. */
  readonly choices?: readonly string[];
  /** Other spellings of choices: the original prototype's, mapped to ours. */
  readonly synonyms?: Readonly<Record<string, string>>;
  /** The value is an operand in the guise of an option, as the original prototype had it. */
  readonly operand?: true;
  /** Other long names, such as those of the original prototype. Not listed by help or completion. */
  readonly aliases?: readonly string[];
  /** Taken, but not listed by help or completion. */
  readonly hidden?: boolean;
}

/** Options by their long names. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** What the options of a table are after parsing: booleans false and strings undefined when not given. */
export type OptionValues<Options extends OptionTable> = {
  readonly [Name in keyof Options]: Options[Name]['type'] extends 'boolean' ? boolean : string | undefined;
};

/** Where a command writes, and what it may know of who reads it. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Standard output is a terminal: colours and progress are welcome. */
  readonly interactive: boolean;
}

/** An example in the help of a command. */
export interface Example {
  readonly command: string;
  readonly does: string;
}

/** One command of nfio, complete with its help. */
export interface CommandSpec<Options extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** Names of the positional arguments, all needed. */
  readonly operands: readonly string[];
  /** Name of further positional arguments, of which there may be any number. */
  readonly rest?: string;
  readonly options: Options;
  /** Values that the first operand may have, for completion. */
  readonly operandChoices?: readonly string[];
  /** What operands are completed to besides: mounts of nf.io, types that have an image, or files. Default: directories. */
  readonly completes?: 'mountpoints' | 'types' | 'files';
  /** A paragraph or two of help. */
  readonly description: string;
  readonly examples: readonly Example[];
  /** Resolves to the exit status; rejects with a UsageError (2) or any other error (1). */
  run(input: {
    readonly values: OptionValues<Options>;
    readonly operands: readonly string[];
    readonly terminal: Terminal;
  }): Promise<number>;
}

/** A command whose option types no longer matter. */
export interface Command extends Omit<CommandSpec<OptionTable>, 'run'> {
  run(input: {
    readonly values: Readonly<Record<string, string | boolean | undefined>>;
    readonly operands: readonly string[];
    readonly terminal: Terminal;
  }): Promise<number>;
}

/** Types a command: its run method sees exactly the options that its table declares. */
export function defineCommand<const Options extends OptionTable>(spec: CommandSpec<Options>): Command {
  return spec as unknown as Command;
}
