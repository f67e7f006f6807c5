import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { TestEngine, whyNoEngine } from '../../test/support/docker-engine.ts';
import { testImage } from '../../test/support/guest-image.ts';
import type { Benchmark, Row } from '../benchmark.ts';
import { alternate, compareSamples, type Subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import { run } from '../processes.ts';
import { Unavailable } from '../unavailable.ts';
import type { Workshop } from '../workshop.ts';

const many = 50;
const reads = 200;

/** Makes `count` hosts with a port each on one network, ready to be activated. */
const prepare = `
mkdir "$1/networks/lan"
echo 10.99.0.0/16 >"$1/networks/lan/subnet"
mkdir -p "$1/nf-types/host"
for ((i = 1; i <= $2; i++)); do
  host=$1/nf-types/host/h$i
  mkdir -p "$host/ports/eth0"
  echo "$3" >"$host/machine/vm.image"
  echo lan >"$host/ports/eth0/network"
  echo "10.99.1.$i/16" >"$host/ports/eth0/address"
done`;

/** Activates hosts $2 to $3 at once, prints the seconds that took, and destroys them again. */
const ours = `
cd "$1/nf-types/host"
each() { local i pids=() pid; for ((i = $2; i <= $3; i++)); do echo "$1" >"h$i/action" & pids+=($!); done; for pid in "\${pids[@]}"; do wait "$pid"; done; }
begin=$EPOCHREALTIME
each activate "$2" "$3"
end=$EPOCHREALTIME
each destroy "$2" "$3"
awk -v begin="$begin" -v end="$end" 'BEGIN { print end - begin }'`;

/** The same by hand: \`docker run -d\` with what nf.io's containers have, then a veth to a bridge in a namespace of its own. */
const byHand = `
run() {
  local id pid
  id=$(docker run -d --init --network none --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW --security-opt no-new-privileges \\
    --pids-limit 4096 --hostname "h$1" --name "bench-$1" -v /etc/hostname:/etc/nfio:ro "$image")
  pid=$(docker inspect -f '{{.State.Pid}}' "$id")
  nsenter --target "$pid" --net ip -batch - <<END
link add name eth0 type veth peer name b$1 netns $netns
addr add 10.98.1.$1/16 dev eth0
link set dev eth0 up
END
  ip -netns "$netns" link set dev "b$1" master br0 up
}
image=$1 netns=$2
ip netns add "$netns"
ip -netns "$netns" link add name br0 type bridge
ip -netns "$netns" link set dev br0 up
begin=$EPOCHREALTIME
pids=()
for ((i = 1; i <= $3; i++)); do run "$i" & pids+=($!); done
for pid in "\${pids[@]}"; do wait "$pid"; done
end=$EPOCHREALTIME
for ((i = 1; i <= $3; i++)); do echo "bench-$i"; done | xargs docker rm --force >/dev/null
ip netns del "$netns"
awk -v begin="$begin" -v end="$end" 'BEGIN { print end - begin }'`;

/** Containers: how long activation takes, alone and fifty at once, and what reading a counter costs. */
export const docker: Benchmark = {
  name: 'docker',
  summary: 'containers by nf.io against docker run, and counters against docker exec',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const missing = whyNoEngine() ?? (existsSync('/usr/bin/docker') ? undefined : 'the docker command is not installed');
    if (missing !== undefined) throw new Unavailable(missing);
    const engine = workshop.use(await TestEngine.start());
    const options = ['--hypervisor', 'docker', '--docker-socket', engine.socket];
    const mount = workshop.use(await NfioMount.start(workshop, 'nfio', { oneCpu: false, options }));
    await mount.shell(prepare, String(many + 1), testImage);
    const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
    const alone = await activations(mount, { env, first: 1, count: 1, runs, signal: workshop.signal });
    const crowd = await activations(mount, { env, first: 1, count: many, runs: Math.ceil(runs / 10), signal: workshop.signal });
    return [...alone, ...crowd, ...(await counters(mount, { env, runs: Math.ceil(runs / 3), signal: workshop.signal }))];
  },
};

interface Options {
  readonly env: NodeJS.ProcessEnv;
  readonly runs: number;
  readonly signal: AbortSignal;
}

async function activations(
  mount: NfioMount,
  options: Options & { readonly first: number; readonly count: number },
): Promise<readonly Row[]> {
  const { env, first, count, runs, signal } = options;
  const peer = async (): Promise<number> =>
    Number(
      (await promisify(execFile)('bash', ['-ec', byHand, 'bench', testImage, `nfio-bench-${process.pid}`, String(count)], { env })).stdout,
    );
  const subjects = new Map<string, Subject>([
    ['activate', async () => Number(await mount.shell(ours, String(first), String(first + count - 1)))],
    ['docker run -d by hand', peer],
  ]);
  const samples = await alternate(subjects, runs, signal);
  const operation = count === 1 ? 'a container with a port' : `${count} of them at once`;
  const comparison = { operation, ours: 'activate', peer: 'docker run -d by hand', target: { limit: count === 1 ? 1.1 : 1 } };
  return compareSamples('docker', subjects, { comparisons: [comparison], samples });
}

async function counters(mount: NfioMount, { env, runs, signal }: Options): Promise<readonly Row[]> {
  await mount.shell('echo activate >"$1/nf-types/host/h1/action"');
  const id = (await mount.shell('cat "$1/nf-types/host/h1/machine/vm.id"')).trim();
  const client = `
    const { readFileSync } = require('node:fs');
    const begin = process.hrtime.bigint();
    for (let i = 0; i < ${reads}; i++) readFileSync(process.argv[1]);
    console.log(Number(process.hrtime.bigint() - begin) / 1e9 / ${reads});`;
  const subjects = new Map<string, Subject>([
    ['stats/rx_bytes', async () => Number(await run([process.execPath, '-e', client, mount.path('nf-types/host/h1/stats/rx_bytes')]))],
    [
      'docker exec cat /proc/net/dev',
      async () => {
        const begin = performance.now();
        await promisify(execFile)('docker', ['exec', id, 'cat', '/proc/net/dev'], { env });
        return (performance.now() - begin) / 1000;
      },
    ],
  ]);
  const samples = await alternate(subjects, runs, signal);
  const comparison = {
    operation: 'reading a counter',
    ours: 'stats/rx_bytes',
    peer: 'docker exec cat /proc/net/dev',
    target: { limit: 1 / 200 },
  };
  return compareSamples('docker', subjects, { comparisons: [comparison], samples });
}
