import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommandAnswers } from '../../src/orchestrator/command-answers.ts';

const mark = '0123456789abcdef0123456789abcdef';

/** What comes out of printed text that arrives in pieces of some length. */
function take(text: string, pieceLength: number): { output: string; answers: string[] } {
  const taken = { output: '', answers: [] as string[] };
  const answers = new CommandAnswers(mark, {
    onOutput: (chunk) => {
      taken.output += Buffer.from(chunk).toString('latin1');
    },
    onAnswer: (answer) => taken.answers.push(answer),
  });
  for (let at = 0; at < text.length; at += pieceLength) answers.take(Buffer.from(text.slice(at, at + pieceLength)));
  answers.end();
  return taken;
}

describe('the answers of the shell of a command', () => {
  it('are taken out of what it prints, in whatever pieces it comes', () => {
    const text = `one${mark} 0\ntwo\n${mark} more\n${mark} 255\nthree`;
    for (const length of [1, 2, 5, 33, 40, 1000]) deepEqual(take(text, length), { output: 'onetwo\nthree', answers: ['0', 'more', '255'] });
  });

  it('are none where a command printed the mark itself: that is output', () => {
    for (const text of [`${mark}`, `${mark}\n`, `${mark} 1234\n`, `${mark} x\n`, `${mark}${mark} `, `${mark.slice(0, 20)}${mark.slice(1)}`])
      for (const length of [1, 3, 64]) deepEqual(take(text, length), { output: text, answers: [] });
    deepEqual(take(`${mark}${mark} 7\n`, 3), { output: mark, answers: ['7'] });
  });

  it('are not waited for behind a mark: what a command floods is handed on as it comes', () => {
    let handedOn = 0;
    const answers = new CommandAnswers(mark, { onOutput: (chunk) => (handedOn += chunk.length), onAnswer: () => undefined });
    answers.take(Buffer.from(mark));
    for (let count = 1; count <= 100; count += 1) {
      answers.take(Buffer.alloc(65_536));
      ok(handedOn >= mark.length + count * 65_536 - mark.length);
    }
    answers.end();
    equal(handedOn, mark.length + 100 * 65_536);
  });
});
