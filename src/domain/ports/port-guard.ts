/**
 * A port that is guarded sends with its own hardware address only, and says of no others' addresses that they are its own (ARP, neighbour discovery).
 * Packets come from its own addresses; in a version of IP that it has none in, from those that no other port of its network has.
 */
export interface PortGuard {
  /** Packets come from anywhere but other ports of its network: its VNF passes on what others send. */
  readonly forwards: boolean;
  /** It may answer DHCP, and advertise itself as a router. */
  readonly trusted: boolean;
  /** The gateways of its network, which nobody else takes the addresses of. */
  readonly gateways: readonly string[];
}
