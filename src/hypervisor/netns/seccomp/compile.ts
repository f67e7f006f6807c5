import { errnos, type Policy, type Rule, type Verdict } from './policy.ts';

/** One instruction of classic BPF (linux/filter.h): what to do, how many to skip where a comparison holds and where not, and its number. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

const code = { load: 0x20, and: 0x54, equal: 0x15, greater: 0x25, greaterOrEqual: 0x35, end: 0x06 } as const;
/** Where things are in struct seccomp_data (linux/seccomp.h). Both processors put the lower half of an argument first. */
const offset = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index } as const;
/** SECCOMP_RET_… of linux/seccomp.h. */
const answer = { killProcess: 0x8000_0000, errno: 0x0005_0000, allow: 0x7fff_0000 } as const;

/**
 * A policy as a program for seccomp(2). Calls by their rules come first, then all others by their number: the kernel remembers the
 * answers for those (Linux 5.11), so that a long program costs nothing afterwards.
 *
 * @returns struct sock_filter after struct sock_filter, little-endian.
 */
export function compile(policy: Policy): Uint8Array {
  return encode([
    load(offset.architecture),
    [code.equal, 1, 0, policy.architecture],
    [code.end, 0, 0, answer.killProcess],
    load(offset.number),
    // A number that is not known yet: the C library does without.
    [code.greater, 0, 1, policy.newest],
    end(errnos.ENOSYS),
    ...policy.rules.flatMap(ruleOf),
    ...byNumber(policy.allowed),
  ]);
}

function load(from: number): Instruction {
  return [code.load, 0, 0, from];
}

function end(verdict: Verdict): Instruction {
  return [code.end, 0, 0, verdict === 'allow' ? answer.allow : answer.errno | verdict];
}

function ruleOf({ call, argument, mask, values, among, otherwise }: Rule): Instruction[] {
  const body: Instruction[] = [
    load(offset.argument(argument)),
    [code.and, 0, 0, mask],
    ...values.map((value, index): Instruction => [code.equal, values.length - index, 0, value]),
    end(otherwise),
    end(among),
  ];
  return [[code.equal, 0, body.length, call], ...body];
}

/** One comparison for each number at which the answer changes, in ascending order: the first that a call is below decides. Both answers stand behind them. */
function byNumber(allowed: ReadonlySet<number>): Instruction[] {
  const changes = [...allowed]
    .flatMap((number) => [number, number + 1])
    .filter((number) => allowed.has(number) !== allowed.has(number - 1));
  const sorted = [...new Set(changes)].sort((one, other) => one - other);
  const comparisons = sorted.map((number, index): Instruction => {
    const toRefusal = sorted.length - index - 1;
    return [code.greaterOrEqual, 0, allowed.has(number) ? toRefusal : toRefusal + 1, number];
  });
  return [...comparisons, end(errnos.EPERM), end('allow')];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8 * program.length));
  for (const [index, [operation, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.setUint16(8 * index, operation, true);
    bytes.setUint8(8 * index + 2, ifTrue);
    bytes.setUint8(8 * index + 3, ifFalse);
    bytes.setUint32(8 * index + 4, value, true);
  }
  return new Uint8Array(bytes.buffer);
}
