import { setTimeout as sleep } from 'node:timers/promises';
import { NfioError } from '../../errors/index.ts';

/** Who gives up waits so long for what was begun to be undone; after that it is undone behind their back. */
const patienceMs = 2000;

/**
 * Waits for a call that an engine carries out to its end, whether or not anybody waits for its answer. An abort has what it did undone, as soon as it is done.
 *
 * @throws InterruptedError when aborted, and what the call fails with.
 */
export async function undoneIfAborted<Result>(
  call: Promise<Result>,
  signal: AbortSignal,
  undo: (result: Result) => Promise<unknown>,
): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(new NfioError('InterruptedError', { cause: signal.reason }));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([call, aborted.promise]);
  } catch (error) {
    if (signal.aborted) await Promise.race([call.then(undo).catch(() => undefined), sleep(patienceMs, undefined, { ref: false })]);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
