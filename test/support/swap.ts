import { spawn } from 'node:child_process';

/**
 * Does, as fast as any guest could, what the guest could do: puts a link in the place of a directory `d` and takes it away again, until disposed. Now and then it
 * rests for a few milliseconds, so that whoever walks there reaches the directory at times.
 */
export function swap(directory: string, target: string): Disposable & { readonly exitCode: number | null } {
  const script = `
    const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
    process.chdir(process.argv[1]);
    const rest = new Int32Array(new SharedArrayBuffer(4));
    for (let round = 1; ; round += 1) {
      renameSync('d', 'real'); symlinkSync(process.argv[2], 'd'); unlinkSync('d'); renameSync('real', 'd');
      if (round % 100 === 0) Atomics.wait(rest, 0, 0, 3);
    }`;
  const child = spawn(process.execPath, ['-e', script, directory, target], { stdio: ['ignore', 'ignore', 'inherit'] });
  return {
    get exitCode() {
      return child.exitCode;
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}
