/** Longest name of a network interface: IFNAMSIZ less its terminator (netdevice(7)). */
export const longestInterfaceName = 15;

/** Name of a port's interface in its guest: the user's where Linux takes it, else one derived from the id (the user's is its alias then). */
export function guestInterfaceName(port: { readonly id: string; readonly name: string }): string {
  return port.name.length <= longestInterfaceName ? port.name : `e${port.id}`;
}

const guestIndexes = 1_000_000;
const fabricIndexes = 1_001_000_000;
const bridgeIndexes = 2_001_000_000;
const lastIndex = 2 ** 31 - 1;

/**
 * The interface index of a port's end in its guest, one that no interface of the fabric has. Where both ends of a veth have the same number
 * Linux takes the link's coming up for nothing urgent (linkwatch_urgent_event) and the first second's packets are lost.
 */
export function guestInterfaceIndex({ id }: { readonly id: string }): number {
  return guestIndexes + (Number.parseInt(id, 36) % (fabricIndexes - guestIndexes));
}

/** The least and the most that it can be. */
export const guestInterfaceIndexes: readonly [number, number] = [guestIndexes, fabricIndexes - 1];

/** The serial of the port that has an interface index in its guest. */
export function serialOfGuestInterface(index: number): number {
  return index - guestIndexes;
}

/** That of its end in the fabric. The kernel takes a wish for one end only where there is one for the other too. */
export function fabricInterfaceIndex({ id }: { readonly id: string }): number {
  return fabricIndexes + (Number.parseInt(id, 36) % (fabricIndexes - guestIndexes));
}

/** That of the bridge in a guest that a port is the first on. */
export function guestBridgeIndex({ id }: { readonly id: string }): number {
  return bridgeIndexes + (Number.parseInt(id, 36) % (lastIndex - bridgeIndexes));
}
