import { atLeast, contains, empty, equals, inside, matches, outside, type Step } from './step.ts';

/**
 * The tour: a client and a server on two networks, and between them a firewall that drops telnet. Constant shell text;
 * what each step claims is checked. Counts are exact or lower bounds, because the kernel sends packets of its own.
 */
export const firewallSteps: readonly Step[] = [
  { ...outside, title: 'Mount', shell: 'nfio mount --root state nfio && ls nfio', check: contains('nf-types', 'networks') },
  {
    ...inside,
    title: 'Two networks',
    shell: `mkdir networks/lan networks/wan
echo 10.1.0.0/24 > networks/lan/subnet
echo 10.2.0.0/24 > networks/wan/subnet
cat networks/*/subnet`,
    check: equals('10.1.0.0/24\n10.2.0.0/24\n'),
  },
  {
    ...inside,
    title: 'A client, a server and a firewall between them',
    shell: `mkdir -p nf-types/host/client nf-types/host/server nf-types/firewall/fw-a
mkdir nf-types/host/{client,server}/ports/eth0 nf-types/firewall/fw-a/ports/{lan,wan}
cat nf-types/*/*/status`,
    check: equals('undeployed\nundeployed\nundeployed\n'),
  },
  {
    ...inside,
    title: 'Their ports',
    shell: `cd nf-types
echo lan > host/client/ports/eth0/network;   echo 10.1.0.10/24 > host/client/ports/eth0/address
echo wan > host/server/ports/eth0/network;   echo 10.2.0.10/24 > host/server/ports/eth0/address
echo lan > firewall/fw-a/ports/lan/network;  echo 10.1.0.1/24 > firewall/fw-a/ports/lan/address
echo wan > firewall/fw-a/ports/wan/network;  echo 10.2.0.1/24 > firewall/fw-a/ports/wan/address`,
    check: empty,
  },
  {
    ...inside,
    title: 'The rules: drop telnet, accept the rest',
    shell: `cat > nf-types/firewall/fw-a/config/nf_conf <<'EOF'
table inet filter {
  chain forward {
    type filter hook forward priority filter; policy accept;
    tcp dport 23 drop
  }
}
EOF`,
    check: empty,
  },
  {
    ...inside,
    title: 'Start them',
    shell: `for v in host/client host/server firewall/fw-a; do echo activate > nf-types/$v/action; done
cat nf-types/firewall/fw-a/status`,
    check: equals('running\n'),
  },
  {
    ...inside,
    title: 'Ping through the firewall',
    shell: `echo 'ping -c 3 -i 0.2 10.2.0.10' > nf-types/host/client/command && cat nf-types/host/client/command`,
    check: contains('3 packets transmitted, 3 received, 0% packet loss'),
  },
  {
    ...inside,
    title: 'Telnet is dropped',
    shell: `echo 'timeout 1 bash -c "exec 3<>/dev/tcp/10.2.0.10/23"; echo exit status $?' > nf-types/host/client/command
cat nf-types/host/client/command`,
    check: contains('exit status 124'),
  },
  {
    ...inside,
    title: 'True counters: the three pings and their answers, and what the rules dropped',
    shell: `cd nf-types/firewall/fw-a/stats; cat rx_packets rx_bytes pkt_drops`,
    check: atLeast([6, 6 * 84, 1]),
  },
  {
    ...inside,
    title: 'Change the rules while it runs: drop pings as well',
    shell: `sed -i 's/tcp dport 23 drop/&\\n    icmp type echo-request drop/' nf-types/firewall/fw-a/config/nf_conf
echo 'ping -c 2 -i 0.2 -W 1 10.2.0.10; true' > nf-types/host/client/command; cat nf-types/host/client/command`,
    check: contains('2 packets transmitted, 0 received, 100% packet loss'),
  },
  {
    ...inside,
    title: 'A rule set that does not parse is refused, and the running one stays',
    shell: `echo 'table inet filter { nonsense }' > nf-types/firewall/fw-a/config/nf_conf
cat nf-types/firewall/fw-a/error`,
    check: contains('line 1'),
  },
];

/** Ends it, whatever was made in between. */
export const lastSteps: readonly Step[] = [
  {
    ...inside,
    title: 'Destroy them',
    shell: `for v in nf-types/*/*; do echo destroy > $v/action; rmdir $v; done
rmdir networks/lan networks/wan
find nf-types -mindepth 2 -maxdepth 2`,
    check: empty,
  },
  // On a busy machine umount says what it waits for.
  { ...outside, title: 'Unmount', shell: 'nfio umount nfio && ls -A nfio | wc -l', check: matches(/^0$/m) },
];
