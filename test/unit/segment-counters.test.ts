import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { sumCounters } from '../../src/network/segment-counters.ts';

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
p00001:     100       2    0    3    0     0          0         0      200       4    0    5    0     0       0          0
p00002:4000000000       1    0    0    0     0          0         0       10       1    0    0    0     0       0          0
`;

test('counters of a segment are the sum of those of its ports; one that is not there adds nothing', () => {
  const both = { rx_bytes: 4_000_000_100, rx_packets: 3, tx_bytes: 210, tx_packets: 5, pkt_drops: 8 };
  deepEqual(sumCounters(netDev, new Set(['p00001', 'p00002', 'p00003', ''])), both);
  deepEqual(sumCounters(netDev, new Set()), { rx_bytes: 0, rx_packets: 0, tx_bytes: 0, tx_packets: 0, pkt_drops: 0 });
});
