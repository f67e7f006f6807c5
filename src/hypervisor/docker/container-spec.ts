import { guestInterfaceName } from '../../domain/guest-interface.ts';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { isThere } from '../../errors/index.ts';
import { mostProcesses } from '../most-processes.ts';
import { guestCapabilities } from './capabilities.ts';
import { guestLabels } from './labels.ts';
import { initialLimits } from './limits.ts';

/** Where a guest finds the files of its config directory. */
export const configTarget = '/etc/nfio';

/** What makes a container of a guest. */
export interface ContainerOptions {
  readonly mountId: string;
  /** True for an engine that sees this machine's files. */
  readonly local: boolean;
  /** True for a guest that has power over its network. */
  readonly ofNetwork: boolean;
}

/** The body of the call that makes a guest's container. @throws InvalidValueError for limits no guest can live with. */
export function containerSpec(spec: GuestSpec, options: ContainerOptions): object {
  const { boot, command, image, name } = spec;
  return {
    Image: image,
    Hostname: name,
    // Given a command, the guest is that: an entry point of the image's would make arguments of it.
    ...(command === undefined ? {} : { Entrypoint: [command[0]], Cmd: command.slice(1) }),
    Env: environment(spec),
    Labels: guestLabels(options.mountId, spec),
    HostConfig: {
      Init: true,
      NetworkMode: boot.network ?? 'none',
      CapDrop: ['ALL'],
      CapAdd: guestCapabilities(boot.capabilities, options.ofNetwork),
      Privileged: boot.privileged,
      SecurityOpt: ['no-new-privileges'],
      Sysctls: { ...quietIpv6(options), ...boot.sysctl },
      Mounts: mounts(spec, options),
      PidsLimit: mostProcesses,
      Dns: boot.dns,
      // Without a network of Docker's own Docker leaves a container's name out of its /etc/hosts.
      ExtraHosts: extraHosts([`127.0.1.1 ${name}`, ...spec.hosts]),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '16m', 'max-file': '2' } },
      RestartPolicy: { Name: 'no' },
      ...initialLimits(spec.limits, options.local),
    },
  };
}

/** NFIO_PORTS names the interfaces that a service may wait for: they come once its network namespace is there. */
function environment({ boot, ports }: GuestSpec): string[] {
  const names = ports.map((port) => guestInterfaceName(port)).join(' ');
  return Object.entries({ NFIO_PORTS: names, ...boot.env }).map(([name, value]) => `${name}=${value}`);
}

/** IPv6 is off until a port has an IPv6 address, so that what guests count is what they send. */
function quietIpv6({ local }: ContainerOptions): Record<string, string> {
  const name = 'net/ipv6/conf/default/disable_ipv6';
  return local && isThere(`/proc/sys/${name}`) ? { [name.replaceAll('/', '.')]: '1' } : {};
}

function mounts({ boot, configDir }: GuestSpec, { local }: ContainerOptions): object[] {
  const own = local ? [{ source: configDir, target: configTarget, readOnly: true }] : [];
  return [...own, ...boot.mounts].map(({ source, target, readOnly }) => ({
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    BindOptions: { Propagation: 'rprivate' },
  }));
}

/** From lines of /etc/hosts to Docker's NAME:ADDRESS. */
function extraHosts(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [address = '', ...names] = line.split(/\s+/);
    return names.map((name) => `${name}:${address}`);
  });
}
