import { equal, match } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { callNumbers, type Processor } from '../../src/hypervisor/netns/seccomp/call-numbers.ts';
import { TestMount } from '../support/mount.ts';
import { needs } from '../support/needs.ts';

/* What root of a guest asks of the machine's kernel: calls that nothing in a guest needs are refused, whoever makes them; what programs do works. */

const guest = 'nf-types/host/h';
const privileged = 'nf-types/host/p';
/** One that root gave CAP_SYS_ADMIN. */
const administrator = 'nf-types/host/a';
const numbers = callNumbers(process.arch as Processor);

/** Errnos of calls that are refused, and arguments that do no harm where they are not. */
const attempts: readonly (readonly [call: string, args: string, errno: number])[] = [
  ['unshare', '0x10000000', 1],
  ['unshare', '0x20000', 1],
  ['clone', '0x10000011, 0, 0, 0, 0', 1],
  ['clone3', '0, 0', 38],
  ['mount', '$text, $text, $text, 0, 0', 1],
  ['setns', '-1, 0', 1],
  ['keyctl', '0, -3, 1', 1],
  ['add_key', '$type, $text, $text, 1, -3', 1],
  ['request_key', '$type, $text, 0, -3', 1],
  ['bpf', '99, 0, 0', 1],
  ['perf_event_open', '0, 0, -1, -1, 0', 1],
  ['kexec_load', '0, 0, 0, 0', 1],
  ['init_module', '0, 0, $text', 1],
  ['finit_module', '-1, $text, 0', 1],
  ['open_by_handle_at', '-1, 0, 0', 1],
  ['io_uring_setup', '0, 0', 1],
  ['userfaultfd', '-1', 1],
  ['personality', '0x40000', 1],
  ['socket', '40, 1, 0', 97],
  ['socket', '38, 5, 0', 97],
  ['ioctl', '$terminal, 0x5412, $text', 1],
];

const script = `my ($text, $type) = ('x', 'user'); open my $file, '+<', '/dev/ptmx' or die $!; my $terminal = fileno $file;
sub attempt { my ($name, $result) = @_; exit if !$result; print "$name ", ($result < 0 ? 0 + $! : 'made'), "\\n" }
${attempts.map(([call, args]) => `attempt('${call} ${args.replaceAll('$', '')}', syscall(${numbers.get(call)}, ${args}));`).join('\n')}
`;

let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir -p ${guest} ${privileged}
    cat > ${guest}/config/calls.pl <<'END'\n${script}\nEND
    cp ${guest}/config/calls.pl ${privileged}/config/
    echo 'command=sh -c "grep Seccomp: /proc/self/status >/run/main; sleep 1000000"' | tee ${guest}/config/boot.conf ${privileged}/config/boot.conf
    echo privileged=yes >> ${privileged}/config/boot.conf
    mkdir ${administrator}; echo capabilities=sys_admin > ${administrator}/config/boot.conf; echo activate > ${administrator}/action
    echo activate > ${guest}/action; echo activate > ${privileged}/action`);
});
after(async () => {
  await mount?.[Symbol.asyncDispose]();
});

/** Runs a command in a guest, as its user does. */
const inGuest = (command: string, where = guest): Promise<string> =>
  mount.run(`cat > ${where}/command <<'END'\n${command}\nEND\ncat ${where}/command`, { timeoutMs: 60_000 });

describe('system calls of guests', { timeout: 300_000 }, () => {
  test('that change the machine, or make namespaces, are refused to root', async () => {
    const expected = attempts.map(([call, args, errno]) => `${call} ${args.replaceAll('$', '')} ${errno}\n`).join('');
    equal(await inGuest('perl /etc/nfio/calls.pl'), expected);
    match(await inGuest('unshare --user --map-root-user --mount mount -t cgroup none /mnt 2>&1; true'), /unshare: .*not permitted/);
  });

  test('are filtered for the main process, for commands, and for what they start', async () => {
    equal(
      await inGuest('cat /run/main; grep Seccomp: /proc/self/status; setsid -w sh -c "grep Seccomp: /proc/self/status"'),
      'Seccomp:\t2\n'.repeat(3),
    );
  });

  test('are not filtered in a privileged guest', async () => {
    equal(await inGuest('cat /run/main; grep Seccomp: /proc/self/status', privileged), 'Seccomp:\t0\n'.repeat(2));
    match(await inGuest('unshare --user --map-root-user id -u', privileged), /^0\n$/);
  });
});

test('a capability brings the system calls that it is for, and no others', async () => {
  equal(
    await inGuest('unshare --mount sh -c "mount -t tmpfs none /mnt && echo mounted"; grep Seccomp: /proc/self/status', administrator),
    'mounted\nSeccomp:\t2\n',
  );
  match(
    await inGuest(
      "perl -e 'syscall(KEYCTL, 0, -3, 1) < 0 and print 0 + $!'".replace('KEYCTL', String(numbers.get('keyctl'))),
      administrator,
    ),
    /^1/,
  );
});

describe('programs of guests', { timeout: 300_000 }, () => {
  const tried: readonly (readonly [program: string, command: string, prints: RegExp])[] = [
    [
      'python3',
      `/usr/bin/python3 -c 'import subprocess, threading; t = threading.Thread(target=lambda: print("thread")); t.start(); t.join(); print(subprocess.run(["id", "-u"], capture_output=True, text=True).stdout)'`,
      /^thread\n0\n/,
    ],
    ['perl', `perl -e 'my $pid = fork // die; exit 3 if !$pid; waitpid $pid, 0; print $? >> 8'`, /^3/],
    ['ping', 'ping -c 1 127.0.0.1', / 0% packet loss/],
    ['tcpdump', 'tcpdump -c 1 -i lo -l 2>&1 & sleep 2; ping -c 3 127.0.0.1 >/dev/null; wait', /ICMP echo request/],
    ['iperf3', 'iperf3 -s -1 -D; sleep 1; iperf3 -c 127.0.0.1 -n 100K', /receiver/],
    [
      'nginx',
      'echo "events {} http { server { listen 8080; return 200 served; } }" >/run/n.conf; nginx -c /run/n.conf 2>&1; curl -s 127.0.0.1:8080; nginx -c /run/n.conf -s stop',
      /served/,
    ],
    [
      'haproxy',
      'printf "listen l\\n mode http\\n timeout client 1s\\n bind :8081\\n http-request return status 200 content-type text/plain string balanced\\n" >/run/h.cfg; haproxy -D -p /run/h.pid -f /run/h.cfg; curl -s 127.0.0.1:8081; kill $(cat /run/h.pid)',
      /balanced/,
    ],
    [
      'dpkg',
      'mkdir -p /run/x/DEBIAN /run/x/opt; printf "Package: nfio-x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n" >/run/x/DEBIAN/control; echo there >/run/x/opt/nfio-x; dpkg-deb -b /run/x /run/x.deb >/dev/null; dpkg -i /run/x.deb 2>&1; cat /opt/nfio-x',
      /Setting up nfio-x[\s\S]*there/,
    ],
  ];
  for (const [program, command, prints] of tried) {
    test(`work: ${program}`, async (context) => {
      if (await needs(program, context)) match(await inGuest(command), prints);
    });
  }
});
