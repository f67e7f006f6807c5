/** Modules that the VNF loads when it boots, before anything else runs; all others the kernel asks for when it needs them. */
export const bootModules = [
  'virtio_pci',
  'virtio_console',
  'virtio_net',
  'virtio_blk',
  'virtio_balloon',
  'virtio_rng',
  'button',
  'evdev',
] as const;

/** Directories of modules, below kernel/, that the image holds; what these need comes along. */
export const moduleDirectories = [
  'net/netfilter',
  'net/ipv4',
  'net/ipv6',
  'net/bridge',
  'net/8021q',
  'net/sched',
  'drivers/virtio',
  'drivers/net/bonding',
  'drivers/net/vxlan',
  'fs/isofs',
  'fs/overlayfs',
] as const;

/** Single modules besides. */
export const moduleFiles = [
  'virtio_net',
  'virtio_blk',
  'virtio_console',
  'virtio-rng',
  'button',
  'evdev',
  'tun',
  'veth',
  'dummy',
  'ifb',
] as const;

/**
 * The first program. The image's own files are in memory; where there is a disk what is written goes there (overlayfs), so that it is found
 * again after a restart.
 */
export const initScript = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in ${bootModules.join(' ')}; do modprobe -q "$module"; done
root=/
if [ -e /dev/vda ] && mount -t ext4 -o noinit_itable,discard /dev/vda /mnt/disk; then
  modprobe overlay
  mkdir -p /mnt/disk/changes /mnt/disk/work
  mount -t overlay -o lowerdir=/,upperdir=/mnt/disk/changes,workdir=/mnt/disk/work root /mnt/root && root=/mnt/root
fi
[ "$root" = / ] || for each in dev proc sys; do mount --bind "/$each" "$root/$each"; done
exec chroot "$root" /bin/busybox init
`;

/** busybox init's table: what runs at boot, and what is started again when it ends. */
export const inittab = `::sysinit:/etc/nfio-boot
::respawn:/etc/nfio-agent
::respawn:/sbin/acpid -d -c /etc/acpi
::ctrlaltdel:/etc/acpi/PWRF/00000080
`;

/** The guest agent. When memory runs out all others go first; what it runs is made like others again (execute.ts). */
export const agentScript = `#!/bin/sh
echo -900 >/proc/self/oom_score_adj
exec /usr/sbin/qemu-ga --method=virtio-serial --path=/dev/virtio-ports/org.qemu.guest_agent.0 --statedir=/run
`;

/** Runs once, before all others. What is particular to an instance comes later, by the guest agent. */
export const bootScript = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /dev/pts /dev/shm /dev/virtio-ports
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
for port in /sys/class/virtio-ports/*; do
  [ -e "$port/name" ] && ln -s "../\${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set dev lo up
`;

/** What the power button does: the main process gets time to end, then the machine is off. */
export const powerOffScript = `#!/bin/sh
main=$(cat /run/nfio/main 2>/dev/null)
if [ -n "$main" ] && kill -TERM "-$main" 2>/dev/null; then
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    kill -0 "-$main" 2>/dev/null || break
    sleep 0.1
  done
fi
sync
exec poweroff -f
`;
