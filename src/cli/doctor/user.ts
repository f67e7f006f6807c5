import type { Actor } from '../../domain/authority.ts';
import { runProgram } from '../run-program.ts';
import { UsageError } from '../usage-error.ts';

const timeoutMs = 10_000;

/**
 * A user of this machine and her groups, as id(1) tells them.
 *
 * @param user name, or number of one that has a name.
 * @throws UsageError when there is none.
 */
export async function findUser(user: string): Promise<Actor> {
  const [uid, gid, groups] = [await ask(user, '--user'), await ask(user, '--group'), await ask(user, '--groups')];
  return { uid: Number(uid), gid: Number(gid), groups: groups.split(' ').map(Number) };
}

async function ask(user: string, what: string): Promise<string> {
  const { exitCode, stdout } = await runProgram(['id', what, '--', user], { timeoutMs });
  const numbers = stdout.trim();
  if (exitCode === 0 && /^\d+( \d+)*$/.test(numbers)) return numbers;
  throw new UsageError(`${user} is no user of this machine. See who is: getent passwd`, 'doctor');
}
