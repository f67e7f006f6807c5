import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPrivilege } from '../../daemon/preflight.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { chainPrograms, chainSteps } from '../demo/chain-steps.ts';
import { leftBehind } from '../demo/left-behind.ts';
import { runSteps } from '../demo/run.ts';
import { firewallSteps, lastSteps } from '../demo/steps.ts';
import { missingPrograms } from '../missing-programs.ts';
import { findMount } from '../mounts.ts';
import { runProgram } from '../run-program.ts';
import { paint } from '../terminal.ts';

/** `nfio demo`. */
export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'Watch a firewall, an ids and a proxy at work on real packets, in a few seconds',
  operands: [],
  options: { keep: { type: 'boolean', summary: 'Leave everything as it is when a step fails, to look at it' } },
  description: `Mounts nf.io in a temporary directory and takes a tour there: two networks, a client, a server and a firewall between
them; then a service chain from the client by the firewall, an ids and a proxy to a web server. Every command is shown
before it runs, with its real output after it, and what it claims is checked. Everything is removed again. The exit
status is 1 when a step does not do what it claims.

The service chain needs squid, ulogd, ndpiReader, nginx and curl. Where one is missing the demo says so, and how to get
it, and does the rest.`,
  examples: [{ command: 'sudo nfio demo', does: 'Takes the tour' }],
  async run({ values, terminal }) {
    checkPrivilege('nfio demo');
    const missing = await missingPrograms(await chainPrograms());
    const without = `The service chain is left out: it needs ${missing?.names.join(', ')}. To see it: ${missing?.remedy}\n`;
    if (missing !== undefined) terminal.out(`${paint(terminal.interactive, 'yellow', without)}\n`);
    const steps = [...firewallSteps, ...(missing === undefined ? chainSteps : []), ...lastSteps];
    const directory = await mkdtemp(join(tmpdir(), 'nfio-demo-'));
    const started = performance.now();
    const interrupt = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupt.abort());
    const { good, mountId } = await runSteps(steps, { directory, terminal, signal: interrupt.signal });
    if (!good && values.keep) {
      terminal.out(`Left in ${directory}. Remove it with: nfio umount --destroy ${join(directory, 'nfio')}; rm -r ${directory}\n`);
      return 1;
    }
    await cleanUp(directory);
    const left = await leftBehind({ directory, mountId });
    report({ good, left, seconds: (performance.now() - started) / 1000 }, terminal);
    if (missing !== undefined) terminal.out(paint(terminal.interactive, 'yellow', without));
    return good && left.length === 0 ? 0 : 1;
  },
});

/** After a step failed there may still be a mount, and guests. */
async function cleanUp(directory: string): Promise<void> {
  const mount = await findMount(join(directory, 'nfio'));
  if (mount !== undefined) {
    const umount = [process.execPath, process.argv[1] ?? '', 'umount', '--destroy', mount.mountpoint];
    const isGone = async (argv: readonly string[]): Promise<boolean> => (await runProgram(argv, { timeoutMs: 20_000 })).exitCode === 0;
    // A step that was interrupted may use it still, and then it would stay, with all VNFs.
    if (!(await isGone(umount)) && !(await isGone([...umount, '--lazy']))) await isGone(['umount', '--lazy', '--', mount.mountpoint]);
  }
  await rm(directory, { recursive: true, force: true });
}

interface Outcome {
  readonly good: boolean;
  readonly left: readonly string[];
  readonly seconds: number;
}

function report({ good, left, seconds }: Outcome, { out, interactive }: Terminal): void {
  if (!good) {
    out('The demo failed. What this machine can do: nfio doctor\n');
  }
  if (left.length > 0) {
    out(`${paint(interactive, 'red', '✖ left behind:')}\n${left.map((thing) => `  ${thing}\n`).join('')}`);
  } else if (good) {
    out(`${paint(interactive, 'green', '✔ all steps did what they claim, and nothing is left behind')} (${seconds.toFixed(1)} s)\n`);
  }
}
