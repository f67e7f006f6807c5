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

/** What is examined: each packet once, where it comes in. Not what the guest says to itself. */
const examined = 'inbound and not net 127.0.0.0/8 and not host ::1';

/**
 * Shell text: `watching PID` succeeds once that process gets the packets of all interfaces, those that are yet to come among them. It has a packet
 * socket then that is bound to every protocol (3, ETH_P_ALL) and to no interface (0), see packet(7).
 */
const watching = `watching() {
  for inode in $(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.* socket:\\[\\([0-9]*\\)\\]$/\\1/p'); do
    ! grep -q " 0003  *0 .* $inode *$" /proc/net/packet || return 0
  done
  return 1
}`;

/** Process number of the newest ndpiReader. */
const readerFile = '/run/nfio/reader';

/**
 * ulogd writes what signatures log; ndpiReader examines flows in windows. A window ends a second after the next one watches, so that no packet is in none,
 * and what two windows tell alike is told once. Both write to one file, which the guest's log follows. "$1" is the configuration of ulogd, "$2" the
 * program for awk.
 */
const sense = `cd /run && mkdir -p nfio ${alertDirectory} && printf '%s' "$1" > nfio/ulogd.conf && : >> ${alertDirectory}/alerts && : > nfio/flows.old || exit 1
findings=$2; seconds=\${IDS_WINDOW:-${windowSeconds}}
[ "$seconds" -ge 1 ] || { echo 'ids: IDS_WINDOW has to be a number of seconds' >&2; exit 1; }
ulogd -c nfio/ulogd.conf & ulogd=$!
tail -n 0 -F ${alertDirectory}/alerts 2>/dev/null &
trap 'exit 0' TERM INT
${watching}
examine() {
  { sh -c 'echo $$ > "$0"; exec ndpiReader -i any -f "$1" -v 2' ${readerFile} '${examined}' ||
      echo "ids: flows were not examined: ndpiReader ended with status $?" >&2; } |
    LC_ALL=C tr -c '\\n\\t -~' '?' | awk -v floor="\${IDS_MIN_SCORE:-50}" "$findings" | sort -u > "nfio/flows.$1"
  prefix="$(date '+%b %e %T') $(cat /proc/sys/kernel/hostname)"
  grep -vxF -f nfio/flows.old "nfio/flows.$1" | sed "s/^/$prefix /" >> ${alertDirectory}/alerts
  mv "nfio/flows.$1" nfio/flows.old
}
rotate() {
  cd ${alertDirectory} || return
  [ "$(stat -c %s alerts)" -gt 4194304 ] || return
  [ ! -e alerts.1 ] || echo $(($(cat forgotten 2>/dev/null || echo 0) + $(wc -l < alerts.1))) > forgotten
  mv alerts alerts.1 && kill -HUP $ulogd
}
rest() { sleep "$1" & wait $!; }
window=0; reader=
while kill -0 $ulogd 2>/dev/null; do
  before=$reader
  window=$((window + 1))
  examine $window & examiner=$!
  until reader=$(cat ${readerFile} 2>/dev/null) && [ "$reader" != "$before" ] && watching "$reader"; do
    kill -0 $examiner 2>/dev/null || break
    rest 0.05
  done
  rest 1
  [ -z "$before" ] || kill -INT "$before" 2>/dev/null
  (rotate)
  rest $((seconds - 1))
done
echo 'ids: ulogd ended' >&2
exit 1`;

/** The main process of a guest that detects intrusions. */
export const sensorCommand: readonly string[] = ['/bin/sh', '-c', sense, 'nfio-ids', loggerConfiguration, findings];

/** Ends with status 0 as soon as the main process sees packets, those of ports that are yet to come too; 1 when it does not within 30 s. */
export const awaitSensor = `${watching}
end=$(($(date +%s) + 30))
until grep -q '^ *${alertGroup} ' /proc/net/netfilter/nfnetlink_log && watching "$(cat ${readerFile})"; do
  [ "$(date +%s)" -lt $end ] || exit 1; sleep 0.05
done`;

/** Prints the newest alerts. */
export const newestAlerts = `tail -q -n 1000 ${alertDirectory}/alerts.1 ${alertDirectory}/alerts 2>/dev/null | tail -n 1000`;

/** Prints how many there have been. */
export const countAlerts = `cd ${alertDirectory} && echo $(($(cat forgotten 2>/dev/null || echo 0) + $(cat alerts.1 alerts 2>/dev/null | wc -l)))`;
