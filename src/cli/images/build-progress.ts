import { stripVTControlCharacters } from 'node:util';
import type { BuildLine } from './image-engine.ts';

/** How far a build is. */
export interface BuildState {
  /** Counted from 1; 0 before the first. */
  readonly step: number;
  readonly steps: number;
  /** The instruction of this step, on one line. */
  readonly instruction: string;
  /** The newest line that the instruction printed; empty at its beginning. */
  readonly said: string;
}

const keptLines = 20;
const maxLineChars = 300;

/** Follows the lines of a classic build: `Step 2/4 : RUN …`, then what that prints. */
export class BuildProgress {
  #state: BuildState = { step: 0, steps: 0, instruction: '', said: '' };
  #rest = '';
  readonly #last: string[] = [];

  get state(): BuildState {
    return this.#state;
  }

  /** Per cent of the steps that are done. */
  get percent(): number {
    const { step, steps } = this.#state;
    return steps === 0 ? 0 : Math.floor((100 * Math.max(step - 1, 0)) / steps);
  }

  /** The newest lines, for saying why a build failed. */
  get last(): readonly string[] {
    return this.#last;
  }

  /** Takes a part of the stream. True when a new step has begun. */
  take({ stream = '' }: BuildLine): boolean {
    const lines = (this.#rest + stream).split(/[\r\n]+/);
    this.#rest = (lines.pop() ?? '').slice(-maxLineChars);
    return lines.map((line) => this.#takeLine(line)).some(Boolean);
  }

  #takeLine(line: string): boolean {
    const [, step, steps, instruction = ''] = /^Step (\d+)\/(\d+) : (.*)$/.exec(line) ?? [];
    if (step !== undefined) {
      this.#state = { step: Number(step), steps: Number(steps), instruction: instruction.replaceAll(/\s+/g, ' ').trim(), said: '' };
      return true;
    }
    const said = printable(line);
    if (said === '') return false;
    this.#state = { ...this.#state, said };
    this.#last.push(said);
    if (this.#last.length > keptLines) this.#last.shift();
    return false;
  }
}

/** Without colours and what else would act on a terminal. */
function printable(line: string): string {
  return stripVTControlCharacters(line)
    .replaceAll(/\p{Cc}/gu, '')
    .trim()
    .slice(0, maxLineChars);
}
