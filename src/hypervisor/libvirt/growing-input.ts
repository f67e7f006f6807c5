import type { ProgramInput } from '../../domain/ports/hypervisor.ts';
import { searchPath } from '../search-path.ts';
import { chunkBytes, type GuestAgent, putFile } from './agent.ts';

/**
 * Input that comes bit by bit is a file that grows: the agent cannot write to a running program. "$1": prefix of the files; behind it the command.
 */
const followScript = `
at=$1; shift
mkfifo "$at.pipe" || exit 125
tail -c +1 -f "$at.in" >"$at.pipe" 2>/dev/null &
echo $! >"$at.tail"
"$@" <"$at.pipe"
status=$?
kill "$(cat "$at.tail")" 2>/dev/null
exit $status`;

/** Ends such input. */
const endInputScript = 'kill "$(cat "$1.tail")"';

/** True for input that is all there. */
export function isWhole(input: ProgramInput): input is string | Uint8Array {
  return typeof input === 'string' || input instanceof Uint8Array;
}

/** Input of a command in a guest that comes bit by bit. */
export class GrowingInput {
  readonly #agent: GuestAgent;
  readonly #at: string;
  readonly #chunks: AsyncIterable<Uint8Array>;

  /** @param at prefix of the command's files in the guest. */
  constructor(agent: GuestAgent, at: string, chunks: AsyncIterable<Uint8Array>) {
    this.#agent = agent;
    this.#at = at;
    this.#chunks = chunks;
  }

  /** Words before those of the command, which reads its input then. */
  get reader(): readonly string[] {
    return ['/bin/sh', '-c', followScript, 'sh', this.#at];
  }

  /** Makes the file; before the command starts. */
  async make(signal: AbortSignal): Promise<void> {
    await putFile(this.#agent, `${this.#at}.in`, new Uint8Array(), signal);
  }

  /** Fills it. Rejects when the guest does not take it any more; it never resolves, for the command may go on without input. */
  async feed(signal: AbortSignal): Promise<never> {
    const handle = await this.#agent.open(`${this.#at}.in`, 'a', signal);
    for await (const chunk of this.#chunks) {
      for (let start = 0; start < chunk.length; start += chunkBytes)
        await this.#agent.write(handle, chunk.subarray(start, start + chunkBytes), signal);
      await this.#agent.flush(handle, signal);
    }
    await this.#agent.close(handle, signal);
    await this.#agent.start(
      { path: 'sh', arg: ['-c', endInputScript, 'sh', this.#at], env: [`PATH=${searchPath}`], capture: false },
      signal,
    );
    return await new Promise<never>(() => undefined);
  }
}
