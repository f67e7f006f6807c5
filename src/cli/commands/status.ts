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
not answer within three seconds is shown as hung; the exit status is then 1.`,
  examples: [
    { command: 'nfio status', does: 'All mounts' },
    { command: "nfio status --json | jq -r '.[].mountpoint'", does: 'For programs' },
  ],
  async run({ values, terminal }) {
    const all = await Promise.all(
      (await listMounts()).map(async (mount) => ({ mount, vnfs: mount.served ? await readVnfStates(mount.mountpoint) : undefined })),
    );
    terminal.out(values.json ? `${JSON.stringify(all.map(asJson), undefined, 2)}\n` : asText(all));
    return all.every(({ vnfs }) => vnfs !== undefined) ? 0 : 1;
  },
});

function stateOf({ mount, vnfs }: MountStatus): 'mounted' | 'hung' | 'dead' {
  if (vnfs !== undefined) return 'mounted';
  return mount.served ? 'hung' : 'dead';
}

function asJson(status: MountStatus): unknown {
  const { served: _, ...record } = status.mount;
  return { ...record, state: stateOf(status), vnfs: status.vnfs ?? null };
}

function asText(all: readonly MountStatus[]): string {
  if (all.length === 0) return 'Nothing is mounted. Mount with: nfio mount MOUNTPOINT\n';
  const rows = all.map((status) => {
    const { mount, vnfs } = status;
    return [mount.mountpoint, stateOf(status), mount.hypervisor, mount.root, String(mount.serverPid), summarizeStates(vnfs ?? [])];
  });
  const broken = all
    .filter(({ vnfs }) => vnfs === undefined)
    .map(({ mount }) => `${mount.mountpoint}: free it with nfio umount --lazy ${mount.mountpoint}\n`);
  return columns([['MOUNTPOINT', 'STATE', 'HYPERVISOR', 'ROOT', 'PID', 'VNFS'], ...rows]) + broken.join('');
}
