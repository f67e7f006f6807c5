import { resolve } from 'node:path';
import { defineCommand, type Terminal } from '../command.ts';
import { type Diagnosis, diagnose } from '../doctor/index.ts';
import { type Right, rightsEverywhere, rightsOn } from '../doctor/rights.ts';
import { findUser } from '../doctor/user.ts';
import { listMounts } from '../mounts.ts';
import { paint } from '../terminal.ts';

/** `nfio doctor`. */
export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'See what this machine can do, and how to mend what it cannot',
  operands: [],
  options: {
    root: {
      type: 'string',
      value: 'DIR',
      aliases: ['nfio_root'],
      summary: 'Directory that state would be kept in (default /var/lib/nfio)',
    },
    as: {
      type: 'string',
      value: 'USER',
      summary: 'Say instead what this user may do, here and on each mount, and how root allows the rest',
    },
    json: { type: 'boolean', summary: 'Print JSON' },
  },
  description: `Tries what nf.io needs: it makes namespaces, mounts an overlay, connects a bridge, loads a rule set, and removes
them again. The exit status is 1 when something that is needed fails; what is optional is only reported.`,
  examples: [
    { command: 'nfio doctor', does: 'Before the first mount' },
    { command: 'nfio doctor --json', does: 'For programs' },
    { command: 'nfio doctor --as alice', does: 'Why may she not do that?' },
  ],
  async run({ values, terminal }) {
    if (values.as !== undefined) return await tellRights(values.as, values.json, terminal);
    const all: Diagnosis[] = [];
    for await (const diagnosis of diagnose({ root: resolve(values.root ?? '/var/lib/nfio') })) {
      all.push(diagnosis);
      if (!values.json) terminal.out(line(diagnosis, terminal));
    }
    const broken = all.filter((diagnosis) => diagnosis.needed && !diagnosis.ok);
    terminal.out(values.json ? `${JSON.stringify(all, undefined, 2)}\n` : summary(broken));
    return broken.length === 0 ? 0 : 1;
  },
});

async function tellRights(user: string, asJson: boolean, terminal: Terminal): Promise<number> {
  const actor = await findUser(user);
  const places = [{ place: 'everywhere', rights: rightsEverywhere(actor) }];
  for (const { mountpoint, state } of await listMounts())
    if (state === 'mounted') places.push({ place: mountpoint, rights: rightsOn(mountpoint, actor) });
  if (asJson) terminal.out(`${JSON.stringify({ user, ...actor, places }, undefined, 2)}\n`);
  else for (const { place, rights } of places) terminal.out(`${place}\n${rights.map((right) => rightLines(right, terminal)).join('')}`);
  return 0;
}

function rightLines({ may, what, grant }: Right, { interactive }: Terminal): string {
  const text = `${paint(interactive, may ? 'green' : 'yellow', (may ? 'yes' : 'no').padEnd(5))} ${what}\n`;
  return may ? text : `${text}      ${paint(interactive, 'dim', `root: ${grant}`)}\n`;
}

function line(diagnosis: Diagnosis, { interactive }: Terminal): string {
  const [style, word] = verdict(diagnosis);
  const text = `${paint(interactive, style, word.padEnd(5))} ${diagnosis.name.padEnd(23)} ${diagnosis.detail}\n`;
  // What mends the first one that was not tried mends all of them, and the summary says it.
  if (diagnosis.remedy === undefined || diagnosis.untried === true) return text;
  return `${text}      ${paint(interactive, 'dim', `mend: ${diagnosis.remedy}`)}\n`;
}

function verdict({ ok, needed, untried }: Diagnosis): readonly ['green' | 'red' | 'yellow', string] {
  if (ok) return ['green', 'ok'];
  if (untried === true) return ['yellow', '?'];
  return needed ? ['red', 'FAIL'] : ['yellow', 'no'];
}

function summary(broken: readonly Diagnosis[]): string {
  if (broken.length === 0) return '\nThis machine can run nf.io.\n';
  const untried = broken.find((diagnosis) => diagnosis.untried === true);
  if (untried !== undefined) return `\nOnly root can run nf.io, and try all of this. Run: ${untried.remedy}\n`;
  return `\nThis machine cannot run nf.io yet: ${broken.map((diagnosis) => diagnosis.name).join(', ')}.\n`;
}
