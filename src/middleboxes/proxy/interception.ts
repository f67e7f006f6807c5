/** Bit in the mark of a packet that the proxy keeps, beside what hop-setup.ts marks packets of service chains with. */
const kept = '0x80000000';

/** Which ports of servers are intercepted: a list for nft. The environment of the main process is out of reach of what runs later. */
const portsFile = '/run/nfio.ports';

/** What is kept is delivered here, by a table of its own; what is said in answer is not, and takes the way of the guest's own packets if no hop's. */
const delivery = `rule add pref 900 iif lo fwmark ${kept}/${kept} goto 32766
rule add pref 901 fwmark ${kept}/${kept} lookup 900
route replace local default dev lo table 900`;

/**
 * A connection's first packet goes to squid's listening socket, and later ones to the connection's own; those of connections that are older than
 * the proxy's place in a service chain pass. (The listening socket would be found for its own port as well, which is left out therefore.) Nobody
 * listens while squid reads its configuration: then a connection waits rather than avoid it. What squid sends on in the name of a client gets the
 * mark that the client's packet had.
 */
const rules = `table ip nfio_proxy {
	map ways { type ipv4_addr . ipv4_addr . inet_service : mark; size 65535; flags dynamic, timeout; timeout 1h; }
	chain prerouting { type filter hook prerouting priority mangle; policy accept; }
	chain output { type route hook output priority mangle; policy accept; }
	chain first { }
}
flush table ip nfio_proxy
table ip nfio_proxy {
	chain prerouting {
		$intercepted
		tcp dport != $port socket transparent 1 meta mark set meta mark or ${kept} accept
	}
	chain first {
		update @ways { ip saddr . ip daddr . tcp dport : meta mark }
		meta l4proto tcp tproxy to :$port meta mark set meta mark or ${kept} accept
		drop
	}
	chain output {
		meta mark set ip saddr . ip daddr . tcp dport map @ways update @ways { ip saddr . ip daddr . tcp dport : meta mark }
	}
}`;

/**
 * Shell functions. `choose_ports` has to be called in the main process, which knows PROXY_PORTS. `intercept FILE` has the connections to these ports that pass
 * through the guest go to the `http_port … tproxy` of a squid.conf; without one they pass. Where the kernel cannot do it they pass as well, and it is said.
 */
export const interception = `
choose_ports() { printf '%s' "\${PROXY_PORTS-80}" > ${portsFile}; }
intercept() {
  port=$(awk '$1 == "http_port" { for (i = 3; i <= NF; i++) if ($i == "tproxy") { sub(/.*:/, "", $2); print $2; exit } }' "$1")
  ports=$(cat ${portsFile} 2>/dev/null)
  intercepted=
  if [ "\${port:=0}" != 0 ] && [ -n "$ports" ]; then
    intercepted="fib daddr type != local tcp dport { $ports } tcp flags & (fin | syn | rst | ack) == syn goto first"
  fi
  ip -force -batch - 2>/dev/null <<E
${delivery}
E
  nft -f - <<E && return
${rules}
E
  [ -z "$intercepted" ] || echo 'proxy: nft cannot intercept connections, they pass without squid' >&2
}
`;
