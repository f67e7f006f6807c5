import { awaitPorts } from '../main-process.ts';
import { findings } from './findings.ts';

/** Group of `log` statements whose packets become alerts. */
export const alertGroup = 0;

/** Where alerts are kept in the guest, a line each in the format of the kernel's packet log. `alerts.1` has those before. */
export const alertDirectory = '/var/log/ids';

/** Flows are examined in windows of this length, unless IDS_WINDOW says otherwise; a finding is told at its end. Seconds. */
const windowSeconds = 10;

const loggerConfiguration = `[global]
logfile="/dev/stderr"
loglevel=7
stack=log:NFLOG,base:BASE,interface:IFINDEX,address:IP2STR,print:PRINTPKT,file:LOGEMU
[log]
group=${alertGroup}
netlink_qthreshold=1
[file]
file="${alertDirectory}/alerts"
sync=1
`;

/**
 * ulogd writes what signatures log; ndpiReader examines flows in windows that overlap by a second, so that none begins unseen, and what
 * two windows tell alike is told once. Both write to one file, which the guest's log follows. "$1" is the configuration of ulogd, "$2" the program for awk.
 */
const sense = `${awaitPorts}cd /run && mkdir -p nfio ${alertDirectory} && printf '%s' "$1" > nfio/ulogd.conf && : >> ${alertDirectory}/alerts && : > nfio/flows.old || exit 1
findings=$2; seconds=\${IDS_WINDOW:-${windowSeconds}}
[ "$seconds" -ge 1 ] || { echo 'ids: IDS_WINDOW has to be a number of seconds' >&2; exit 1; }
ulogd -c nfio/ulogd.conf & ulogd=$!
tail -n 0 -F ${alertDirectory}/alerts 2>/dev/null &
trap 'exit 0' TERM INT

devices() {
  names=
  for device in /sys/class/net/*; do
    name=\${device##*/}
    if [ "$name" != lo ] && [ $(($(cat "$device/flags" 2>/dev/null || echo 0) & 1)) = 1 ]; then names=$names,$name; fi
  done
  echo "\${names#,}"
}
examine() {
  { ndpiReader -i "$1" -s $((seconds + 1)) -v 2 || echo "ids: flows were not examined: ndpiReader ended with status $?" >&2; } |
    LC_ALL=C tr -c '\\n\\t -~' '?' | awk -v floor="\${IDS_MIN_SCORE:-50}" "$findings" | sort -u > "nfio/flows.$2"
  prefix="$(date '+%b %e %T') $(cat /proc/sys/kernel/hostname)"
  grep -vxF -f nfio/flows.old "nfio/flows.$2" | sed "s/^/$prefix /" >> ${alertDirectory}/alerts
  mv "nfio/flows.$2" nfio/flows.old
}
rotate() {
  cd ${alertDirectory} || return
  [ "$(stat -c %s alerts)" -gt 4194304 ] || return
  [ ! -e alerts.1 ] || echo $(($(cat forgotten 2>/dev/null || echo 0) + $(wc -l < alerts.1))) > forgotten
  mv alerts alerts.1 && kill -HUP $ulogd
}
window=0
while kill -0 $ulogd 2>/dev/null; do
  names=$(devices)
  window=$((window + 1))
  [ -z "$names" ] || examine "$names" $window &
  (rotate)
  sleep $([ -n "$names" ] && echo "$seconds" || echo 1) & wait $!
done
echo 'ids: ulogd ended' >&2
exit 1`;

/** The main process of a guest that detects intrusions. */
export const sensorCommand: readonly string[] = ['/bin/sh', '-c', sense, 'nfio-ids', loggerConfiguration, findings];

/** Ends with status 0 as soon as the main process sees packets, 1 when it does not within 5 s. Its arguments are the names of the ports. */
export const awaitSensor = `i=0
until grep -q '^ *${alertGroup} ' /proc/net/netfilter/nfnetlink_log && { [ $# -eq 0 ] || [ "$(wc -l < /proc/net/packet)" -gt 1 ]; }; do
  i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.05
done`;

/** Prints the newest alerts. */
export const newestAlerts = `tail -q -n 1000 ${alertDirectory}/alerts.1 ${alertDirectory}/alerts 2>/dev/null | tail -n 1000`;

/** Prints how many there have been. */
export const countAlerts = `cd ${alertDirectory} && echo $(($(cat forgotten 2>/dev/null || echo 0) + $(cat alerts.1 alerts 2>/dev/null | wc -l)))`;
