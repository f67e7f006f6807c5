/** A fixed set of words that a value may have. */
export interface Choice<Word extends string = string> {
  readonly choices: readonly Word[];
  /** Other spellings, in lower case, and the word that each stands for. */
  readonly synonyms?: Readonly<Record<string, Word>>;
}

/** The word that a text means, whatever its case: one of the choices, or what a synonym stands for. undefined when it means none. */
export function choose<Word extends string>(text: string, { choices, synonyms = {} }: Choice<Word>): Word | undefined {
  const word = text.toLowerCase();
  if (Object.hasOwn(synonyms, word)) return synonyms[word];
  return choices.find((choice) => choice === word);
}
