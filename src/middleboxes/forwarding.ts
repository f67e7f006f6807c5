/** Kernel settings of a guest that passes packets on. */
export const forwarding: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.forwarding': '1',
};
