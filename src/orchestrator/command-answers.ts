/** The longest answer behind its mark: ` more` or ` 255`, and a newline. Bytes. */
const longestAnswer = 6;
const answerPattern = /^ (more|\d{1,3})\n/;

/** Where what is found goes. */
export interface AnswerReceivers {
  readonly onOutput: (chunk: Uint8Array) => void;
  readonly onAnswer: (text: string) => void;
}

/**
 * Takes the answers of a command's shell out of what it prints. The commands can read the mark, and print it: what follows it and is no answer is output, and
 * no more than the length of an answer is ever held back.
 */
export class CommandAnswers {
  readonly #mark: string;
  readonly #receivers: AnswerReceivers;
  /** What may be the beginning of an answer. */
  #rest = Buffer.alloc(0);

  constructor(mark: string, receivers: AnswerReceivers) {
    this.#mark = mark;
    this.#receivers = receivers;
  }

  take(chunk: Uint8Array): void {
    const data = Buffer.concat([this.#rest, chunk]);
    let done = 0;
    let at = data.indexOf(this.#mark);
    for (; at >= 0; at = data.indexOf(this.#mark, at + 1)) {
      const behind = at + this.#mark.length;
      const answer = answerPattern.exec(data.toString('latin1', behind, behind + longestAnswer))?.[1];
      if (answer === undefined && data.length < behind + longestAnswer) break;
      if (answer === undefined) continue;
      this.#output(data.subarray(done, at));
      this.#receivers.onAnswer(answer);
      done = behind + answer.length + 2;
    }
    const kept = at >= 0 ? at : Math.max(done, this.#beginningOfMark(data));
    this.#output(data.subarray(done, kept));
    this.#rest = Buffer.from(data.subarray(kept));
  }

  /** The shell has ended: what was held back is no answer. */
  end(): void {
    this.#output(this.#rest);
    this.#rest = Buffer.alloc(0);
  }

  #output(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#receivers.onOutput(chunk);
  }

  /** Where at the end of the data a mark may begin; the length of the data: nowhere. */
  #beginningOfMark(data: Buffer): number {
    for (let at = Math.max(0, data.length - this.#mark.length + 1); at < data.length; at += 1) {
      if (this.#mark.startsWith(data.toString('latin1', at))) return at;
    }
    return data.length;
  }
}
