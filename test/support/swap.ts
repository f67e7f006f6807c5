import { spawn } from 'node:child_process';

/** Does, as fast as any guest could, what the guest could do: puts a link in the place of a directory `d` and takes it away again, until disposed. */
export function swap(directory: string, target: string): Disposable & { readonly exitCode: number | null } {
  const script = `
    const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
    process.chdir(process.argv[1]);
    for (;;) { renameSync('d', 'real'); symlinkSync(process.argv[2], 'd'); unlinkSync('d'); renameSync('real', 'd'); }`;
  const child = spawn(process.execPath, ['-e', script, directory, target], { stdio: ['ignore', 'ignore', 'inherit'] });
  return {
    get exitCode() {
      return child.exitCode;
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}
