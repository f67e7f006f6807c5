import { existsSync } from 'node:fs';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestMount } from './mount.ts';

/** What a program imports: kill() returns once the server has been killed and another answers. */
const kills = (directory: string): string => `
import itertools, os, time
_turns = itertools.count()
def kill():
    turn = next(_turns)
    open(f"${directory}/wanted.{turn}", "w").close()
    while not os.path.exists(f"${directory}/done.{turn}"): time.sleep(0.01)
`;

/** Runs a Python program in a mount that kills its server where it calls kill(), of its module kills. @returns what it printed. */
export async function runOverKills(mount: TestMount, program: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nfio-kills-'));
  try {
    await writeFile(join(directory, 'kills.py'), kills(directory));
    await writeFile(join(directory, 'program.py'), program);
    let ended = false;
    const printed = mount.run(`python3 ${directory}/program.py`, { timeoutMs: 90_000 }).finally(() => {
      ended = true;
    });
    for (let turn = 0; !ended; await delay(10)) {
      if (!existsSync(join(directory, `wanted.${turn}`))) continue;
      await killServer(mount);
      await writeFile(join(directory, `done.${turn}`), '');
      turn += 1;
    }
    return await printed;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Kills the server of a mount; resolves when another answers. */
export async function killServer(mount: TestMount): Promise<void> {
  const server = await mount.server();
  process.kill(server, 'SIGKILL');
  await mount.ended(server);
  await answered(mount.path);
}

/** Resolves when a server answers. The kernel may have lost the request with the server before it (ADR 8). */
export async function answered(mountpoint: string): Promise<void> {
  const ask = (): Promise<unknown> => statfs(mountpoint); // never answered from a cache
  await ask().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EIO') throw error;
    return ask();
  });
}
