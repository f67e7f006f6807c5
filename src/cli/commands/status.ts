import { defineCommand } from '../command.ts';
import { type LiveMount, listMounts } from '../mounts.ts';
import { columns } from '../terminal.ts';
import { readVnfStates, summarizeStates, type VnfState } from '../vnf-states.ts';

/** A mount with what it holds; `vnfs` is undefined when it does not answer. */
interface MountStatus {
  readonly mount: LiveMount;
  readonly vnfs: readonly VnfState[] | undefined;
}

/** `nfio status`. */
export const statusCommand = defineCommand({
  name: 'status',
  summary: 'List the mounts of this machine and the states of their VNFs',
  operands: [],
  options: { json: { type: 'boolean', summary: 'Print JSON' } },
  description: `Lists every mount of nf.io on this machine, with the number of its VNFs in each state. A mount that does
not answer within three seconds is shown as hung, one that no process serves as dead; the exit status is then 1. One in a
directory that this user may not enter is private.`,
  examples: [
    { command: 'nfio status', does: 'All mounts' },
    { command: "nfio status --json | jq -r '.[].mountpoint'", does: 'For programs' },
  ],
  async run({ values, terminal }) {
    const all = await Promise.all((await listMounts()).map(withVnfs));
    terminal.out(values.json ? `${JSON.stringify(all.map(asJson), undefined, 2)}\n` : asText(all));
    return all.some(isBroken) ? 1 : 0;
  },
});

function isBroken({ mount: { state } }: MountStatus): boolean {
  return state === 'hung' || state === 'dead';
}

async function withVnfs(mount: LiveMount): Promise<MountStatus> {
  const vnfs = mount.state === 'mounted' ? await readVnfStates(mount.mountpoint) : undefined;
  return { mount: mount.state === 'mounted' && vnfs === undefined ? { ...mount, state: 'hung' } : mount, vnfs };
}

function asJson({ mount: { mountpoint, record, state }, vnfs }: MountStatus): unknown {
  return { mountpoint, ...record, state, vnfs: vnfs ?? null };
}

function asText(all: readonly MountStatus[]): string {
  if (all.length === 0) return 'Nothing is mounted. Mount with: nfio mount MOUNTPOINT\n';
  const rows = all.map(({ mount: { mountpoint, state, record }, vnfs }) => {
    const noted = record === undefined ? ['-', '-', '-'] : [record.hypervisor, record.root, String(record.serverPid)];
    return [mountpoint, state, ...noted, vnfs === undefined ? '-' : summarizeStates(vnfs)];
  });
  const broken = all
    .filter(isBroken)
    .map(({ mount: { mountpoint, state } }) => `${mountpoint} is ${state}. Detach it: nfio umount --lazy ${mountpoint}\n`);
  return columns([['MOUNTPOINT', 'STATE', 'HYPERVISOR', 'ROOT', 'PID', 'VNFS'], ...rows]) + broken.join('');
}
