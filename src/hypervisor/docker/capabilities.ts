/**
 * What a guest may do unless boot.conf says more. Docker's own default set, less what no network function was seen to need (making device nodes, giving
 * files capabilities or set-id bits, writing the audit log), plus NET_ADMIN. `no-new-privileges` holds besides. See ADR 10.
 */
const defaultSet: readonly string[] = [
  ...['net_admin', 'net_raw', 'net_bind_service'],
  // A daemon that begins as root, makes its files, binds its port and becomes a user of its own in a directory of its own.
  ...['chown', 'dac_override', 'fowner', 'kill', 'setgid', 'setuid', 'setpcap', 'sys_chroot'],
];

/**
 * The capabilities of a guest, as the Engine API names them.
 *
 * @param ofNetwork whether it has power over its network: who has it in the machine's own user namespace has it over every network that a message can name by a port's other end.
 */
export function guestCapabilities(extra: readonly string[], ofNetwork: boolean): string[] {
  const own = ofNetwork ? defaultSet : defaultSet.filter((name) => name !== 'net_admin');
  return [...new Set([...own, ...extra])].map((name) => `CAP_${name.toUpperCase()}`);
}
