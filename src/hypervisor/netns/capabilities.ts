import { crc32 } from 'node:zlib';
import type { BootOptions } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';

/** Names in the order of their numbers (linux/capability.h). */
const names = (
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast ' +
  'net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice ' +
  'sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog ' +
  'wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
).split(' ');

/**
 * What a guest may do unless boot.conf says more: what Docker gives a container, and NET_ADMIN, but not MKNOD, for there is no
 * device filter here that would keep a made node from reaching a disk.
 */
const defaultSet =
  'chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_admin net_raw sys_chroot audit_write setfcap'.split(
    ' ',
  );

/**
 * The capabilities of a guest.
 *
 * @param extra Beyond the default set, lower case, without CAP_.
 * @throws InvalidValueError (EINVAL) for a name that Linux does not know.
 */
export function guestCapabilities(extra: readonly string[]): ReadonlySet<string> {
  const unknown = extra.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new NfioError('InvalidValueError', {
      message: `"${unknown.slice(0, 40)}" is not a capability. See their names: man 7 capabilities`,
    });
  }
  return new Set([...defaultSet, ...extra]);
}

/**
 * True for a guest whose capabilities count in a user namespace of its own. Those that root gives beyond the default set are meant for the machine, where many of
 * them are of no use otherwise.
 */
export function hasOwnUsers({ privileged, capabilities }: Pick<BootOptions, 'privileged' | 'capabilities'>): boolean {
  return !privileged && capabilities.length === 0;
}

/** User numbers that neither people nor container engines are given (systemd's UIDS-GIDS.md). */
const firstOwner = 0x7000_0000;
const owners = 0x1000_0000;

/**
 * The user of this machine that makes a guest's user namespace. What the kernel counts for a user (inotify(7), namespaces(7)) it counts for this one too, and so not for root.
 */
export function ownerOfUsers(mountId: string, id: string): number {
  return firstOwner + (crc32(`${mountId}/${id}`) % owners);
}

/** As a number whose bits are the capabilities (capabilities(7)), in decimal. */
export function capabilityMask(kept: ReadonlySet<string>): string {
  return String(names.reduce((mask, name, number) => (kept.has(name) ? mask | (1n << BigInt(number)) : mask), 0n));
}
