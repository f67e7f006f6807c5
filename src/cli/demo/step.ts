/** One step of the demo. */
export interface Step {
  readonly title: string;
  /** Constant text for bash. */
  readonly shell: string;
  /** The shell starts in the directory that holds the mountpoint, or in the mount. */
  readonly place: 'outside' | 'inside';
  /** What is wrong with the output, as a sentence; undefined when it is as claimed. */
  check(output: string): string | undefined;
}

/** Where a step's shell starts: beside the mount. */
export const outside = { place: 'outside' } as const;

/** Where a step's shell starts: in the mount. */
export const inside = { place: 'inside' } as const;

/** The output holds each of the texts. */
export function contains(...texts: readonly string[]): (output: string) => string | undefined {
  return (output) => {
    const missing = texts.find((text) => !output.includes(text));
    return missing === undefined ? undefined : `the output should hold "${missing}"`;
  };
}

/** The output matches each of the patterns. */
export function matches(...patterns: readonly RegExp[]): (output: string) => string | undefined {
  return (output) => {
    const missing = patterns.find((pattern) => !pattern.test(output));
    return missing === undefined ? undefined : `the output should match ${missing}`;
  };
}

/** The output is exactly this. */
export function equals(text: string): (output: string) => string | undefined {
  return (output) => (output === text ? undefined : `the output should be ${JSON.stringify(text)}`);
}

/** There is no output. */
export const empty = equals('');

/** The output is one number a line, each at least the bound of its line. */
export function atLeast(bounds: readonly number[]): (output: string) => string | undefined {
  return (output) => {
    const lines = output.trim().split('\n');
    const good =
      lines.length === bounds.length && bounds.every((bound, index) => /^\d+$/.test(lines[index] ?? '') && Number(lines[index]) >= bound);
    return good ? undefined : `the numbers should be at least ${bounds.join(', ')}`;
  };
}
