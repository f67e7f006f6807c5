import { setTimeout as sleep } from 'node:timers/promises';
import type { Inheritance } from '../domain/ports/hypervisor.ts';
import { NfioError } from '../errors/index.ts';
import { CommandAnswers } from './command-answers.ts';

/** How often it is looked whether a command that a server before this one began has ended, milliseconds. */
const lookMs = 50;

/** What a shell answered, and what its command had printed before. */
export interface LastAnswer {
  readonly text: string;
  readonly output: Uint8Array;
}

/**
 * Waits for the answer of a shell that a server before this one gave its last piece. Resolves to `never` when the piece did not reach it; to undefined when it has ended, and nobody
 * knows how.
 *
 * @param look as HypervisorDriver.lastPrinted. @throws CancelledError (ECANCELED): the command goes on.
 */
export async function lastAnswer(
  look: () => Inheritance | undefined,
  { mark, givenBytes, signal }: { readonly mark: string; readonly givenBytes: number; readonly signal: AbortSignal },
): Promise<LastAnswer | 'never' | undefined> {
  for (;;) {
    const left = look();
    if (left?.givenBytes !== undefined && left.givenBytes <= givenBytes) return 'never';
    const answer = left === undefined ? undefined : answerIn(left, mark);
    if (answer !== undefined || left === undefined || left.ended) return answer;
    await sleep(lookMs, undefined, { signal }).catch((cause: unknown) => {
      throw new NfioError('CancelledError', { message: 'its caller waits no more; the command goes on', cause });
    });
  }
}

/** The answer, or how the shell itself ended. */
function answerIn({ output, exitCode }: Inheritance, mark: string): LastAnswer | undefined {
  let answer: LastAnswer | undefined;
  const chunks: Uint8Array[] = [];
  const answers = new CommandAnswers(mark, {
    onOutput: (chunk) => chunks.push(Uint8Array.from(chunk)),
    onAnswer: (text) => {
      answer ??= { text, output: Buffer.concat(chunks) };
    },
  });
  answers.take(output);
  answers.end();
  return answer ?? (exitCode === undefined ? undefined : { text: String(exitCode), output: Buffer.concat(chunks) });
}
