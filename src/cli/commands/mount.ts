import { resolve } from 'node:path';
import { hypervisorNames } from '../../domain/ports/hypervisor.ts';
import { defineCommand } from '../command.ts';
import { checkFuseDevice, checkModules, checkMountpoint, checkPrivilege, checkRoot } from '../preflight.ts';
import { UsageError } from '../usage-error.ts';

const logLevels = ['error', 'warn', 'info', 'debug'] as const;

/** `nfio mount`. */
export const mountCommand = defineCommand({
  name: 'mount',
  summary: 'Mount the file system',
  operands: ['MOUNTPOINT'],
  options: {
    root: { type: 'string', value: 'DIR', aliases: ['nfio_root'], summary: 'Directory of all persistent state (default /var/lib/nfio)' },
    hypervisor: { type: 'string', choices: hypervisorNames, summary: 'Where VNFs run: netns (default), docker or libvirt' },
    modules: { type: 'string', value: 'DIR', aliases: ['middlebox_module_root'], summary: 'Directory of your own middlebox modules' },
    'docker-socket': { type: 'string', value: 'PATH', summary: "Socket of this machine's Docker Engine (default /var/run/docker.sock)" },
    'insecure-engines': { type: 'boolean', summary: 'Allow Docker Engines at HOST:PORT, without TLS or ssh' },
    'libvirt-uri': { type: 'string', value: 'URI', summary: "This machine's libvirt (default qemu:///system)" },
    foreground: { type: 'boolean', summary: 'Stay in the foreground, log to standard error, unmount on Ctrl-C' },
    'log-level': {
      type: 'string',
      choices: logLevels,
      synonyms: { warning: 'warn', critical: 'error' },
      aliases: ['log_level'],
      summary: 'How much is logged (default info)',
    },
    'attr-timeout': { type: 'string', value: 'MS', summary: 'How long the kernel may cache attributes, milliseconds' },
    nfio_mount: { type: 'string', value: 'DIR', hidden: true, operand: true, summary: 'The mountpoint, as the original prototype had it' },
  },
  description: `Mounts nf.io and returns when it can be used. VNFs that were running when this root was last mounted
are found again. Only one mount can use a root at a time.`,
  examples: [
    { command: 'nfio mount /nfio', does: 'State in /var/lib/nfio, guests in namespaces of this machine' },
    { command: 'nfio mount --root ~/lab /mnt/lab', does: 'A second, separate mount' },
    { command: 'nfio mount --hypervisor docker /nfio', does: "Guests in containers of this machine's Docker Engine" },
    { command: 'nfio mount --hypervisor libvirt /nfio', does: "Guests in virtual machines of this machine's libvirt" },
    { command: 'nfio mount --foreground --log-level debug /nfio', does: 'Watch it work' },
    { command: 'nfio --nfio_root DIR --nfio_mount DIR', does: "With the original prototype's flags" },
  ],
  async run({ values, operands, terminal }) {
    await checkPrivilege('mount');
    const mountpoint = await checkMountpoint(resolve(operands[0] ?? ''));
    await checkFuseDevice();
    const modules = values.modules === undefined ? undefined : resolve(values.modules);
    await checkModules(modules);
    const root = resolve(values.root ?? '/var/lib/nfio');
    await checkRoot(root);
    const options = {
      mountpoint,
      root,
      hypervisor: hypervisorNames.find((name) => name === values.hypervisor) ?? 'netns',
      ...(modules === undefined ? {} : { modules }),
      ...(values['docker-socket'] === undefined ? {} : { dockerSocket: resolve(values['docker-socket']) }),
      insecureEngines: values['insecure-engines'],
      ...(values['libvirt-uri'] === undefined ? {} : { libvirtUri: values['libvirt-uri'] }),
      ...attrTimeout(values['attr-timeout']),
      logLevel: logLevels.find((level) => level === values['log-level']) ?? 'info',
      foreground: values.foreground,
    };
    const daemon = await import('../../daemon/index.ts');
    if (options.foreground) return daemon.runForeground(options);
    const { pid } = await daemon.startDaemon(options);
    if (terminal.interactive) terminal.out(`Mounted on ${mountpoint} (process ${pid}). Unmount with: nfio umount ${mountpoint}\n`);
    return 0;
  },
});

function attrTimeout(text: string | undefined): { readonly attrTimeoutMs?: number } {
  if (text === undefined) return {};
  const attrTimeoutMs = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (attrTimeoutMs === undefined) throw new UsageError(`--attr-timeout is a number of milliseconds, not ${text}.`, 'mount');
  return { attrTimeoutMs };
}
