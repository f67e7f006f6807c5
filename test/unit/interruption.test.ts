import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Interruptions } from '../../src/daemon/interruption.ts';
import { type CallerSignals, meansToCancel, parseSignals, signalsOf } from '../../src/fuse/caller-signals.ts';
import type { Ticket } from '../../src/fuse/ticket.ts';

/* Which signals cancel a request, as /proc/PID/status tells them, and that later ones count too although the kernel says nothing of them. */

const numbers = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  ALRM: 14,
  TERM: 15,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  WINCH: 28,
  RT: 34,
};
type Name = keyof typeof numbers;

function set(...names: readonly Name[]): string {
  return names
    .reduce((bits, name) => bits | (1n << BigInt(numbers[name] - 1)), 0n)
    .toString(16)
    .padStart(16, '0');
}

interface Sets {
  readonly own?: readonly Name[];
  readonly shared?: readonly Name[];
  readonly blocked?: readonly Name[];
  readonly ignored?: readonly Name[];
  readonly caught?: readonly Name[];
}

function status({ own = [], shared = [], blocked = [], ignored = [], caught = [] }: Sets): string {
  return `Name:\tbash\nSigQ:\t0/63\nSigPnd:\t${set(...own)}\nShdPnd:\t${set(...shared)}\nSigBlk:\t${set(...blocked)}\nSigIgn:\t${set(...ignored)}\nSigCgt:\t${set(...caught)}\nCapInh:\t0\n`;
}

describe('signals that cancel', () => {
  const cases: readonly (readonly [string, Sets, boolean])[] = [
    ['nothing is pending: a debugger, or a signal that another thread has taken', {}, false],
    ['SIGKILL of the thread, which a fatal signal becomes', { own: ['KILL'] }, true],
    ['SIGKILL whatever else is pending', { own: ['KILL'], shared: ['CHLD'], caught: ['CHLD'] }, true],
    ...(['HUP', 'INT', 'QUIT', 'TERM'] as const).map((name) => [`SIG${name} caught`, { shared: [name], caught: [name] }, true] as const),
    ['SIGINT to a thread', { own: ['INT'], caught: ['INT'] }, true],
    ...(['USR1', 'ALRM', 'QUIT', 'RT'] as const).map((name) => [`SIG${name} with its fatal default`, { shared: [name] }, true] as const),
    ...(['CHLD', 'USR1', 'ALRM', 'WINCH', 'CONT', 'TSTP', 'RT'] as const).map(
      (name) => [`SIG${name} caught`, { shared: [name], caught: [name] }, false] as const,
    ),
    ...(['CHLD', 'WINCH', 'CONT', 'STOP', 'TSTP'] as const).map((name) => [`SIG${name} by default`, { shared: [name] }, false] as const),
    ['SIGINT blocked', { shared: ['INT'], blocked: ['INT'], caught: ['INT'] }, false],
    ['SIGTERM blocked, by default fatal', { shared: ['TERM'], blocked: ['TERM'] }, false],
    ['SIGINT ignored', { own: ['INT'], ignored: ['INT'] }, false],
    ['SIGCHLD, and SIGINT with it', { shared: ['CHLD', 'INT'], caught: ['CHLD', 'INT'] }, true],
  ];
  for (const [name, sets, expected] of cases) {
    test(`${name}: ${expected ? 'cancels' : 'does not'}`, () => assert.equal(meansToCancel(parseSignals(status(sets))), expected));
  }

  test('are those of a thread that is there', () => {
    const signals = signalsOf(process.pid);
    assert.ok(typeof signals === 'object' && (signals.caught & (1n << 1n)) !== 0n); // Node catches SIGINT
    assert.equal(signalsOf(0), 'unseen');
    assert.equal(signalsOf(2 ** 22 + 1), 'gone');
  });
});

describe('a request that was interrupted', () => {
  const ticket = (pid: number): Ticket => ({ uniqueLow: 1, uniqueHigh: 0, opcode: 16, nodeid: 1, uid: 0, gid: 0, pid });
  const harmless = parseSignals(status({ shared: ['CHLD'], caught: ['CHLD'] }));
  const fatal = parseSignals(status({ own: ['KILL'] }));

  /** A look that answers each time as the next of a list does, the last for ever. */
  function looks(...answers: readonly CallerSignals[]): { readonly look: () => CallerSignals; readonly count: () => number } {
    let count = 0;
    return { look: () => answers[Math.min(count++, answers.length - 1)] as CallerSignals, count: () => count };
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await delay(5);
  }

  test('is cancelled at once by a signal that means it', () => {
    const cancelled: number[] = [];
    const interruptions = new Interruptions({ look: () => fatal, onCancel: ({ pid }) => cancelled.push(pid) });
    const waits = ticket(7);
    const signal = interruptions.begin(waits);
    interruptions.interrupt(waits);
    assert.deepEqual([signal.aborted, cancelled], [true, [7]]);
  });

  test('by a later one, of which the kernel says nothing', { timeout: 10_000 }, async () => {
    const { look } = looks(harmless, harmless, 'unseen', harmless, fatal);
    const interruptions = new Interruptions({ look });
    const waits = ticket(7);
    const signal = interruptions.begin(waits);
    interruptions.interrupt(waits);
    assert.equal(signal.aborted, false);
    const hold = setInterval(() => undefined, 1000);
    await until(() => signal.aborted);
    clearInterval(hold);
  });

  test('is looked at no more when it is answered', { timeout: 10_000 }, async () => {
    const { look, count } = looks(harmless);
    const interruptions = new Interruptions({ look });
    const [first, second] = [ticket(7), ticket(8)];
    const signals = [interruptions.begin(first), interruptions.begin(second)];
    interruptions.interrupt(first);
    await until(() => count() > 3);
    interruptions.end(first);
    const before = count();
    await delay(200);
    assert.equal(count(), before);
    assert.deepEqual([signals[0]?.aborted, signals[1]?.aborted], [false, false]);
  });

  test('by any signal where its caller cannot be seen, and never where it may not be cancelled', () => {
    const interruptions = new Interruptions({ look: signalsOf });
    const unseen = ticket(0);
    const signal = interruptions.begin(unseen);
    interruptions.interrupt(unseen);
    assert.equal(signal.aborted, true);
    interruptions.interrupt(ticket(process.pid));
  });
});
