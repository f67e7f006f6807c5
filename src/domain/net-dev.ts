/** Columns of /proc/PID/net/dev after the colon (proc_pid_net(5)) that a counter of interfaces is the sum of. */
export const netDevColumns: Readonly<Record<string, readonly number[]>> = {
  rx_bytes: [0],
  rx_packets: [1],
  tx_bytes: [8],
  tx_packets: [9],
  pkt_drops: [3, 11],
};
