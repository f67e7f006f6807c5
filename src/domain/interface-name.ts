/** Longest name of a network interface: IFNAMSIZ less its terminator (netdevice(7)). */
export const longestInterfaceName = 15;

/** Name of a port's interface in its guest: the user's where Linux takes it, else one derived from the id (the user's is its alias then). */
export function guestInterfaceName(port: { readonly id: string; readonly name: string }): string {
  return port.name.length <= longestInterfaceName ? port.name : `e${port.id}`;
}
