import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnfRecord } from '../domain/records.ts';
import { isAbsence, NfioError } from '../errors/index.ts';
import { type Model, pathOf } from './model.ts';

/** How much of the end of a log is looked at, and how many lines of it are told, each cut to so many characters. */
const lookedAtBytes = 4096;
const toldLines = 3;
const lineLength = 240;

/** Lines that tell of a failure, among those that programs print when they end. */
const telling = /fatal|error|alert|emerg|crit|fail|cannot|can't|could not|denied|no such|not found|unable|invalid|refused/i;

/** Longest that the end of a guest's main process takes to be known: where what it was to do failed because of that, and else. Milliseconds. */
const knownMs = 2000;
const likelyMs = 200;

/** Longest that what it said then takes to be in the log: an engine tells of an end before it has handed out all output. Milliseconds. */
const loggedMs = 1000;

/**
 * Why a guest that was just started could not be configured. Where its main process has ended, that is why, and its last words say more than
 * what failed after it did.
 *
 * @returns the error to throw.
 */
export async function explainFailure(model: Model, vnf: VnfRecord, error: unknown): Promise<unknown> {
  if (!(await hasEnded(model, vnf, tellsOfEnd(error) ? knownMs : likelyMs))) return error;
  await hasSaid(model, vnf);
  const { exitCode } = model.status(vnf);
  return new NfioError('VNFStartError', { message: endOf(model, vnf, exitCode), cause: error });
}

/** The same for a guest that could not be started: what its driver took back ended too, so only what tells of an end is explained by one. */
export async function explainStart(model: Model, vnf: VnfRecord, error: unknown): Promise<unknown> {
  return tellsOfEnd(error) ? await explainFailure(model, vnf, error) : error;
}

function tellsOfEnd(error: unknown): boolean {
  return error instanceof NfioError && (error.code === 'VNFNotRunningError' || error.code === 'VNFNotFoundError');
}

/** A sentence about a main process that has ended. */
export function endOf(model: Model, vnf: VnfRecord, exitCode: number | undefined): string {
  const said = lastWords(model.driverOf(vnf).logPath(model.ref(vnf)));
  const status = exitCode === undefined ? '' : ` (exit status ${exitCode})`;
  return said === ''
    ? `its main process ended${status} and said nothing`
    : `its main process ended${status}: ${said}. See all of it: cat ${pathOf(vnf)}/log`;
}

async function hasEnded(model: Model, vnf: VnfRecord, withinMs: number): Promise<boolean> {
  for (const end = performance.now() + withinMs; model.status(vnf).state !== 'exited'; await sleep(20)) {
    if (performance.now() > end) return false;
  }
  return true;
}

/** Waits for anything in the log of a guest that has ended. */
async function hasSaid(model: Model, vnf: VnfRecord): Promise<void> {
  const path = model.driverOf(vnf).logPath(model.ref(vnf));
  for (const end = performance.now() + loggedMs; lastWords(path) === '' && performance.now() < end; ) await sleep(20);
}

/** The last lines of a log that tell of a failure, or else its last; empty when there are none. The guest wrote them: no control characters are told. */
export function lastWords(logPath: string): string {
  const lines = endOfFile(logPath)
    .split('\n')
    .map((line) => line.replaceAll(/\p{Cc}+/gu, ' ').trim())
    .filter((line) => line !== '');
  const failures = lines.filter((line) => telling.test(line));
  const told = (failures.length > 0 ? failures : lines).slice(-toldLines);
  return told.map((line) => line.slice(0, lineLength)).join('; ');
}

function endOfFile(path: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return isAbsence(error) ? '' : `its log could not be read (${(error as NodeJS.ErrnoException).code})`; // ENOENT: it never ran
  }
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, lookedAtBytes));
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, size - bytes.length));
  } finally {
    closeSync(file);
  }
}
