import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { ExecuteResult, GuestCommand } from '../domain/ports/hypervisor.ts';
import { CommandAnswers } from './command-answers.ts';

/** Runs a program in a guest, to its end or to that of the signal. Output arrives in order. */
export type Execute = (command: GuestCommand, onOutput: (chunk: Uint8Array) => void) => Promise<ExecuteResult>;

/** What became of a piece of a script. */
export type PieceResult =
  /** The shell waits for the rest of a command: nothing of the piece has run. */
  | { readonly kind: 'incomplete' }
  /** `ended`: by that the shell ended, too. */
  | { readonly kind: 'ran'; readonly exitCode: number; readonly ended: boolean };

/**
 * A POSIX shell that runs a script piece by piece, as one at a terminal does, and tells the status of each. Pieces come by descriptor 3, after a line with their
 * length in bytes; `!` before it runs the piece as it is, complete or not; with `-` alone the piece is the next line, and complete. Answers go to descriptor 4, each a
 * line that begins with `mark`, a word that nothing prints by chance.
 *
 * A piece is complete when the shell can parse it, and, if it may have a here-document, can no more with a `)` behind it: one that is still open would swallow that.
 * (An argument of a program has at most 128 KiB, execve(2).)
 *
 * A piece runs inside the loops, so that its own `continue` and `break` reach them: each leads on to the answer, with status 0, as outside of a loop.
 *
 * A shell that does not answer ends, so that nobody waits for it. After `set -n` it carries out nothing: a loop with `while` would go round for ever then, one
 * with `until` ends. What answers cannot be replaced by a piece: functions do not hide `command` once `unset` (a special built-in, which they cannot hide either) took
 * such a one away, `command` ignores all others, and `-p` the PATH.
 */
const script = (mark: string): string => `
exec 3<&0 4>&1 </dev/null 2>&1
nfio_parses() {
  if command [ \${#1} -lt 30000 ]; then /bin/sh -n -c "$1"; else command printf '%s\n' "$1" | /bin/sh -n; fi >/dev/null 2>&1 3<&- 4>&-
}
nfio_complete() {
  nfio_parses "$1" || return 1
  case $1 in *'<<'*) ! nfio_parses "$1
)" ;; esac
}
nfio_ran=
until ! :; do
until
  unset -f command
  if command [ "$nfio_ran" ]; then nfio_ran=; command printf '%s %d\n' ${mark} "$nfio_status" >&4 || exit; fi
  IFS= command read -r nfio_length <&3 || exit 0
  ! :
do
  case $nfio_length in
    -) IFS= command read -r nfio_text <&3 ;;
    *) nfio_text=$(command -p head -c "\${nfio_length#!}" <&3; command echo x); nfio_text=\${nfio_text%x} ;;
  esac
  case $nfio_length in
    -|!*) ;;
    *) if ! nfio_complete "$nfio_text"; then command printf '%s more\n' ${mark} >&4 || exit; continue; fi ;;
  esac
  nfio_ran=y nfio_status=0
  eval "$nfio_text" 3<&- 4>&-
  nfio_status=$?
done
done`;

/** Words that begin what goes on in later lines (Shell Command Language, POSIX), and those that begin nothing. */
const reserved = /^(?:if|then|else|elif|fi|do|done|case|esac|while|until|for|select|function|time)\b/;

/** True for a line that needs no shell to see that it is complete: words alone. Most commands are. */
export function isPlainLine(text: string): boolean {
  return /^[\w ./:=@%+,-]+\n?$/.test(text) && !reserved.test(text.trimStart());
}

/** One such shell in a guest, from its first piece to its end. Pieces are run one after another: the caller sees to that. */
export class CommandShell {
  /** What its answers begin with. */
  readonly mark = randomBytes(16).toString('hex');
  /** How much it was given so far. */
  givenBytes = 0;
  readonly #input = new PassThrough();
  readonly #ended: Promise<ExecuteResult>;
  readonly #answers = new CommandAnswers(this.mark, {
    onOutput: (chunk) => this.#output(chunk),
    onAnswer: (text) => this.#answer(text),
  });
  #output: (chunk: Uint8Array) => void = () => undefined;
  #answer: (text: string) => void = () => undefined;

  /** @param heir as of a GuestCommand. */
  constructor(execute: Execute, heir: string) {
    const argv = ['/bin/sh', '-c', script(this.mark), 'sh'];
    this.#ended = execute({ argv, stdin: this.#input, heir }, (chunk) => this.#answers.take(chunk));
    this.#ended.catch(() => undefined); // told to who runs a piece
  }

  /**
   * Runs a piece. Rejects with what the driver does when the shell cannot run, or is ended by its signal.
   *
   * @param how.whole whether the piece is run as it is, complete or not.
   */
  async run(text: string, how: { readonly whole: boolean; readonly onOutput: (chunk: Uint8Array) => void }): Promise<PieceResult> {
    const answered = new Promise<string>((resolve) => {
      this.#answer = resolve;
    });
    this.#output = how.onOutput;
    const piece = isPlainLine(text) ? `-\n${text.trimEnd()}\n` : `${how.whole ? '!' : ''}${Buffer.byteLength(text)}\n${text}`;
    this.givenBytes += Buffer.byteLength(piece);
    this.#input.write(piece);
    const outcome = await Promise.race([answered, this.#ended]);
    if (typeof outcome !== 'string') {
      this.#answers.end();
      return { kind: 'ran', exitCode: outcome.exitCode, ended: true };
    }
    return outcome === 'more' ? { kind: 'incomplete' } : { kind: 'ran', exitCode: Number(outcome), ended: false };
  }

  /** Ends the shell, once it has run what it was given. What it left in the background goes on. */
  end(): void {
    this.#input.end();
  }
}
