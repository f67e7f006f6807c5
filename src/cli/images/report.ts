import type { Terminal } from '../command.ts';

/** Tells how building goes on: one line that changes on a terminal, one line for each step elsewhere. */
export interface BuildReport {
  /** A step has begun or gone on. @param percent of this image. */
  progress(image: string, percent: number, what: string): void;
  /** Something has ended: this line stays. */
  done(line: string): void;
}

/** How often a terminal's line changes, milliseconds. */
const intervalMs = 100;
const width = 100;

export function buildReport(terminal: Terminal): BuildReport {
  return terminal.interactive ? changingLine(terminal) : plainLines(terminal);
}

function changingLine(terminal: Terminal): BuildReport {
  let shownMs = Number.NEGATIVE_INFINITY;
  return {
    progress(image, percent, what) {
      const nowMs = performance.now();
      if (nowMs - shownMs < intervalMs) return;
      shownMs = nowMs;
      terminal.out(`\r\x1b[K${`${image} ${String(percent).padStart(3)} % ${what}`.slice(0, width)}`);
    },
    done(line) {
      shownMs = Number.NEGATIVE_INFINITY;
      terminal.out(`\r\x1b[K${line}\n`);
    },
  };
}

function plainLines(terminal: Terminal): BuildReport {
  let last = '';
  return {
    progress(image, percent, what) {
      const step = `${image} ${percent} %`;
      if (step === last) return;
      last = step;
      terminal.out(`${step} ${what}\n`);
    },
    done: (line) => terminal.out(`${line}\n`),
  };
}
