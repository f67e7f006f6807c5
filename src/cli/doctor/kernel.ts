import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { layerCommand } from '../../hypervisor/netns/machine-layer.ts';
import { guardRules, whyNoFastPath } from '../../network/index.ts';
import { type ProgramResult, runProgram } from '../run-program.ts';
import { type Finding, found, inNamespaces, type Probe, type ProbeContext } from './probe.ts';

const ruleset = `table inet nfio_doctor {
  chain forward { type filter hook forward priority 0; tcp dport 23 counter drop; }
}
`;

const interception = `table ip nfio_doctor {
  chain prerouting { type filter hook prerouting priority mangle; socket transparent 1 accept; tcp dport 80 tproxy to :3129; }
}
`;

/** Probes that make the real thing, in namespaces that end with them. */
export const kernelProbes: readonly Probe[] = [
  { name: 'namespaces', needed: true, needsRoot: true, run: probeNamespaces },
  { name: 'overlayfs', needed: true, needsRoot: true, run: probeOverlay },
  { name: 'bridge and veth', needed: true, needsRoot: true, run: probeBridge },
  { name: 'nftables', needed: true, needsRoot: true, run: probeNftables },
  { name: 'guarded ports (nft bridge)', needed: false, needsRoot: true, run: probeGuard },
  { name: 'rate (tbf, htb)', needed: false, needsRoot: true, run: probeShaping },
  { name: 'delay and loss (netem)', needed: false, needsRoot: true, run: probeNetem },
  { name: 'interception (tproxy)', needed: false, needsRoot: true, run: probeInterception },
  { name: 'fast path (bpf)', needed: false, needsRoot: true, run: probeFastPath },
];

async function probeNamespaces(): Promise<Finding> {
  const result = await inNamespaces(['--net', '--mount', '--pid', '--uts', '--ipc', '--fork'], 'exit 0');
  return found(result, {
    ok: 'net, mount, pid, uts, ipc',
    remedy: 'run as root with CAP_SYS_ADMIN (in a container: --privileged, or --cap-add SYS_ADMIN)',
  });
}

/** The root of a guest, as mount-table.ts has it mounted; what it may not see must not be there. */
const overlayScript = `cd "$1"; shift; "$@"
mount -t overlay overlay -o lowerdir=layer/layer:/,upperdir=upper,workdir=work,redirect_dir=follow merged
: > merged/nfio-doctor; test -x merged/bin/sh; test ! -e merged/etc/shadow`;

async function probeOverlay({ root }: ProbeContext): Promise<Finding> {
  const parent = await existingAncestor(root);
  let directory: string;
  try {
    directory = await mkdtemp(join(parent, '.nfio-doctor-'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return {
      ok: false,
      detail: `${parent} cannot be written: ${code}`,
      remedy: 'choose a root that can be: nfio mount --root DIR MOUNTPOINT',
    };
  }
  try {
    for (const name of ['upper', 'work', 'merged']) await mkdir(join(directory, name));
    const result = await inNamespaces(['--mount', '--propagation', 'private'], overlayScript, [directory, ...layerCommand('layer')]);
    return found(result, {
      ok: `mounted over / with its changes in ${parent}, and without what guests may not see`,
      remedy: `modprobe overlay; if ${parent} is itself an overlay or a network file system: nfio mount --root DIR MOUNTPOINT, with DIR on ext4, xfs or tmpfs`,
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function existingAncestor(path: string): Promise<string> {
  const there = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  return there || dirname(path) === path ? path : existingAncestor(dirname(path));
}

async function probeBridge(): Promise<Finding> {
  const script = 'ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br0 up; ip link set br0 up';
  return found(await inNamespaces(['--net'], script), { ok: 'made and connected', remedy: 'modprobe bridge && modprobe veth' });
}

async function probeNftables(): Promise<Finding> {
  return found(await load(ruleset), { ok: 'a rule set was loaded', remedy: 'apt-get install nftables && modprobe nf_tables' });
}

async function probeGuard(): Promise<Finding> {
  return found(await load(guardRules()), {
    ok: 'guests send in their own name alone',
    remedy:
      'use a kernel with CONFIG_NF_TABLES_BRIDGE, and nft 1.0 or newer; until then guests can send in the name of others on their networks',
  });
}

async function probeInterception(): Promise<Finding> {
  return found(await load(interception), {
    ok: 'proxies intercept what passes through',
    remedy: 'modprobe nft_tproxy && modprobe nft_socket',
  });
}

async function probeFastPath(): Promise<Finding> {
  const reason = await whyNoFastPath(AbortSignal.timeout(10_000)).catch((error: Error) => error.message);
  if (reason === undefined) return { ok: true, detail: 'packets pass service chains without rules between hops' };
  return {
    ok: false,
    detail: reason,
    remedy:
      'service chains work without it, slower; it needs Linux 5.10 with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF (modprobe -a cls_bpf sch_ingress)',
  };
}

function load(rules: string): Promise<ProgramResult> {
  return runProgram(['unshare', '--net', '--', 'nft', '-f', '-'], { timeoutMs: 10_000, input: rules });
}

async function probeShaping(): Promise<Finding> {
  const script = `ip link set lo up
tc qdisc add dev lo root handle 1: htb default 1
tc class add dev lo parent 1: classid 1:1 htb rate 10mbit
tc qdisc add dev lo parent 1:1 tbf rate 10mbit burst 32kb latency 50ms`;
  return found(await inNamespaces(['--net'], script), { ok: 'both take a rate', remedy: 'modprobe sch_htb && modprobe sch_tbf' });
}

async function probeNetem(): Promise<Finding> {
  const result = await inNamespaces(['--net'], 'ip link set lo up; tc qdisc add dev lo root netem delay 1ms');
  return found(result, { ok: 'delays', remedy: 'modprobe sch_netem (a package such as linux-modules-extra may hold it)' });
}
