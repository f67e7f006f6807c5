/**
 * Shell text that waits until the guest has the interfaces that NFIO_PORTS names, at most 5 s. Under Docker the main process of a guest
 * starts a moment before its ports are there; where the variable is not set they are there from the start.
 */
export const awaitPorts = `i=0
for port in $NFIO_PORTS; do
  until [ -e "/sys/class/net/$port" ] || [ $i -ge 100 ]; do i=$((i + 1)); sleep 0.05; done
done
`;

/**
 * The main process of a guest that needs none of its own where something must run: it waits, takes in processes that lost their
 * parent, and ends at once when it is told to.
 */
export const idleCommand: readonly string[] = [
  '/bin/sh',
  '-c',
  "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done",
  'nfio-idle',
];
