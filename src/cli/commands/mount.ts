import { mountOptions, parseMountOptions } from '../../daemon/mount-options.ts';
import type { MountOptions, MountRequest } from '../../daemon/options.ts';
import { NfioError } from '../../errors/index.ts';
import { defineCommand, type OptionSpec, type Terminal } from '../command.ts';
import { UsageError } from '../usage-error.ts';

/** So many records that cannot be read are named on the terminal. */
const mostWarnings = 5;

/** The options of a mount as flags. */
const flags: Readonly<Record<string, OptionSpec>> = Object.fromEntries(
  Object.values(mountOptions).map(({ flag, parse: _, fallback: __, ...spec }) => [flag, spec]),
);

/** `nfio mount`. */
export const mountCommand = defineCommand({
  name: 'mount',
  summary: 'Mount the file system',
  operands: ['MOUNTPOINT'],
  options: {
    ...flags,
    nfio_mount: { type: 'string', value: 'DIR', hidden: true, operand: true, summary: 'The mountpoint, as the original prototype had it' },
  },
  description: `Mounts nf.io and returns when it can be used. VNFs that were running when this root was last mounted
are found again. Only one mount can use a root at a time: the end of an earlier one that was unmounted is waited for,
and a mount in the same place whose processes are all dead is detached. The log is daemon.log in the root.`,
  examples: [
    { command: 'nfio mount /nfio', does: 'State in /var/lib/nfio, guests in namespaces of this machine' },
    { command: 'nfio mount --root ~/lab /mnt/lab', does: 'A second, separate mount' },
    { command: 'nfio mount --hypervisor docker /nfio', does: "Guests in containers of this machine's Docker Engine" },
    { command: 'nfio mount --hypervisor libvirt /nfio', does: "Guests in virtual machines of this machine's libvirt" },
    { command: 'nfio mount --foreground --log-level debug /nfio', does: 'Watch it work' },
    { command: 'nfio --nfio_root DIR --nfio_mount DIR', does: "With the original prototype's flags" },
  ],
  async run({ values, operands, terminal }) {
    const options = parseFlags(operands[0], values);
    const tell = (sentence: string): void => terminal.err(`nfio: ${sentence}\n`);
    const daemon = await import('../../daemon/index.ts');
    if (options.foreground) {
      const mounted = ({ mountpoint }: { readonly mountpoint: string }): void =>
        terminal.err(`nfio: mounted on ${mountpoint}, with state in ${options.root}. Ctrl-C unmounts; VNFs keep running.\n`);
      return await daemon.runForeground(options, mounted, tell);
    }
    const { pid, mountpoint, warnings } = await daemon.launch(options, tell);
    warn(terminal, warnings, options.root);
    if (terminal.interactive)
      terminal.out(`Mounted on ${mountpoint} (process ${pid}, log ${options.root}/daemon.log). Unmount with: nfio umount ${mountpoint}\n`);
    return 0;
  },
});

/** The first few of what the log says in full; that of a mount in the foreground is on the terminal already. */
function warn(terminal: Terminal, warnings: readonly string[], root: string): void {
  for (const warning of warnings.slice(0, mostWarnings)) terminal.err(`nfio: ${warning}\n`);
  const rest = warnings.length - mostWarnings;
  if (rest > 0) terminal.err(`nfio: and ${rest} more\n`);
  if (warnings.length > 0) terminal.err(`nfio: They are kept as they are. See what to do: grep 'cannot be read' ${root}/daemon.log\n`);
}

function parseFlags(mountpoint: string | undefined, values: Readonly<Record<string, string | boolean | undefined>>): MountOptions {
  const given = Object.entries(mountOptions).map(([key, { flag }]) => [key, values[flag]]);
  try {
    return parseMountOptions({ mountpoint, ...Object.fromEntries(given) } as MountRequest, flagOf);
  } catch (error) {
    throw error instanceof NfioError && error.code === 'InvalidValueError' ? new UsageError(error.message, 'mount') : error;
  }
}

function flagOf(key: string): string {
  return Object.hasOwn(mountOptions, key) ? `--${mountOptions[key as keyof typeof mountOptions].flag}` : key.toUpperCase();
}
