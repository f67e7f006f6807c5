import { NfioError } from '../errors/index.ts';

/** Powers of 1024, as memory is counted. */
const byteUnits: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Powers of 1000, and with an i of 1024, as tc(8) counts bits. */
const bitUnits: Readonly<Record<string, number>> = {
  '': 1,
  bit: 1,
  kbit: 1e3,
  mbit: 1e6,
  gbit: 1e9,
  tbit: 1e12,
  kibit: 2 ** 10,
  mibit: 2 ** 20,
  gibit: 2 ** 30,
  tibit: 2 ** 40,
};

const microseconds: Readonly<Record<string, number>> = { '': 1, us: 1, usec: 1, ms: 1e3, msec: 1e3, s: 1e6, sec: 1e6 };

/** Less than one byte a second no queueing discipline can hold. */
const leastRate = 8;

/** Longest delay that makes sense of a link: beyond it every protocol has given up. */
const longestDelay = 60_000_000;

/** Least share of a processor that the kernel's scheduler can hold: 1 ms in each 100 ms. */
const leastVcpu = 0.01;
const mostVcpu = 8192;

/** A number with a unit, apart; undefined when the text is no such thing. */
function split(text: string): { readonly value: number; readonly unit: string } | undefined {
  const match = /^(\d{1,20}(?:\.\d{1,9})?) ?([a-z%]{0,5})$/.exec(text.trim().toLowerCase());
  return match === null ? undefined : { value: Number(match[1]), unit: match[2] ?? '' };
}

function refuse(text: string, why: string): NfioError {
  return new NfioError('InvalidValueError', { message: `"${text.trim().slice(0, 80)}" ${why}` });
}

/**
 * Bytes of `67108864`, `64M`, `1.5G`, `2GiB`: units are powers of 1024, in either case.
 *
 * @param options.least smallest number of bytes that is taken, default 1.
 * @throws InvalidValueError (EINVAL) when it is no size, zero, less than `least`, or 2^53 or more.
 */
export function parseBytes(text: string, options: { readonly least?: number } = {}): number {
  const parts = split(text);
  const factor = parts === undefined ? undefined : byteUnits[parts.unit.replace(/i?b$/, '')];
  if (parts === undefined || factor === undefined) throw refuse(text, 'is not a size such as 67108864, 64M or 2G');
  const bytes = Math.round(parts.value * factor);
  const least = options.least ?? 1;
  if (bytes < least) throw refuse(text, `is too little: at least ${least} bytes`);
  if (!Number.isSafeInteger(bytes)) throw refuse(text, 'is too much: less than 2^53 bytes');
  return bytes;
}

/**
 * Processors, maybe a fraction of one: `2`, `0.5`.
 *
 * @throws InvalidValueError (EINVAL) when it is no number from 0.01 to 8192.
 */
export function parseVcpu(text: string): number {
  const parts = split(text);
  if (parts === undefined || parts.unit !== '') throw refuse(text, 'is not a number of processors such as 2 or 0.5');
  const vcpu = rounded(parts.value);
  if (vcpu < leastVcpu || vcpu > mostVcpu) throw refuse(text, `is not between ${leastVcpu} and ${mostVcpu} processors`);
  return vcpu;
}

/**
 * Bits a second of `10mbit`, `1gbit`, `64kbit`, `10000000`, in the units of tc(8); its `bps`, which means bytes, is
 * refused because most people mean bits.
 *
 * @throws InvalidValueError (EINVAL) when it is no rate, less than 8 bit/s, or 2^53 or more.
 */
export function parseRate(text: string): number {
  const parts = split(text);
  const factor = parts === undefined ? undefined : bitUnits[parts.unit];
  if (parts === undefined || factor === undefined) throw refuse(text, 'is not a rate in bits a second such as 10mbit, 1gbit or 64000');
  const bitsPerSecond = Math.round(parts.value * factor);
  if (bitsPerSecond < leastRate) throw refuse(text, `is too slow: at least ${leastRate} bits a second`);
  if (!Number.isSafeInteger(bitsPerSecond)) throw refuse(text, 'is too fast: less than 2^53 bits a second');
  return bitsPerSecond;
}

/**
 * Microseconds of `10ms`, `1.5s`, `200us`, `200`.
 *
 * @throws InvalidValueError (EINVAL) when it is no duration, or longer than a minute.
 */
export function parseDuration(text: string): number {
  const parts = split(text);
  const factor = parts === undefined ? undefined : microseconds[parts.unit];
  if (parts === undefined || factor === undefined) throw refuse(text, 'is not a duration such as 10ms, 1s or 200us');
  const duration = Math.round(parts.value * factor);
  if (duration > longestDelay) throw refuse(text, 'is too long: at most 60s');
  return duration;
}

/**
 * Per cent: `5`, `0.1%`.
 *
 * @throws InvalidValueError (EINVAL) when it is no number from 0 to 100.
 */
export function parsePercent(text: string): number {
  const parts = split(text);
  if (parts === undefined || (parts.unit !== '' && parts.unit !== '%')) throw refuse(text, 'is not a percentage such as 5 or 0.1%');
  if (parts.value > 100) throw refuse(text, 'is more than 100 per cent');
  return rounded(parts.value);
}

/** Four decimals, so that its text is never in exponential form. */
function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
