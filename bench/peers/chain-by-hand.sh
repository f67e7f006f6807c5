# The topology of bench/cases/chains.ts by hand, with as few processes as ip -batch allows: client, HOPS routers, server, each in a namespace.
#
#   chain-by-hand.sh build|wire|unwire|transfer|remove PREFIX KIND HOPS [SECONDS]
#
# KIND is what is between each and the next, and what takes packets there:
#   pairs    a veth pair, and routes in the main tables: nothing is classified, all packets go through the hops, which is the least that can be done
#   bridges  a bridge that both have a veth to, and the same routes
#   steered  bridges as well, but client and server have their default route by a router on both their networks, the plain way. Rules of nft at
#            their ports address what matches to the first hop and to the last, as a service chain does; the hops have routes
#
# build makes namespaces, and for steered the two networks with client, server and router, which are there before a service chain is. wire makes
# all else, and prints when it began and ended, in seconds. transfer runs client and server on the CPUs that it may use itself.
set -e
verb=$1 prefix=$2 kind=$3 hops=$4 seconds=${5:-1}
nodes=(client)
for ((i = 1; i <= hops; i++)); do nodes+=("h$i"); done
nodes+=(server)
last=$((hops + 1))
# Of the link behind each node.
subnets=(10.1.0)
for ((i = 1; i < hops; i++)); do subnets+=("10.99.$i"); done
subnets+=(10.2.0)
namespaces=("${nodes[@]}" fabric)
# The nodes that wire connects, and with a bridge between each two.
from=0 to=$last
[ "$kind" != steered ] || { namespaces+=(router) from=1 to=$hops; }
# Hardware addresses, the same on every link.
in=02:00:00:00:00:02 out=02:00:00:00:00:03

# Runs the commands on its input in a namespace.
batch() { ip -n "$prefix-$1" -batch -; }

build() {
  for name in "${namespaces[@]}"; do
    ip netns add "$prefix-$name"
    ip -n "$prefix-$name" link set lo up
    ip netns exec "$prefix-$name" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; for f in all default; do echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done; for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$f" ] || echo 0 >"$f"; done'
  done
  if [ "$kind" = steered ]; then
    links 0 | batch client
    links "$last" | batch server
    printf 'link add name %s type veth peer name %s netns %s\nlink set %s up\naddr add %s dev %s\n' \
      lan r0 "$prefix-fabric" lan 10.1.0.1/24 lan wan "r$hops" "$prefix-fabric" wan 10.2.0.1/24 wan | batch router
    { bridge 0; plug 0 a0 r0; bridge "$hops"; plug "$hops" "b$hops" "r$hops"; } | batch fabric
  fi
}

# Commands for the namespace of the node of a number: its links to the one before (in) and the one after (out).
links() {
  local n=$1
  if ((n < last)); then
    if [ "$kind" = pairs ]; then
      echo "link add name out type veth peer name in netns $prefix-${nodes[n + 1]}"
    else
      echo "link add name out address $out type veth peer name a$n netns $prefix-fabric"
    fi
    echo "link set out up"
    echo "addr add ${subnets[n]}.3/24 dev out"
  fi
  if ((n > 0)); then
    [ "$kind" = pairs ] || echo "link add name in address $in type veth peer name b$((n - 1)) netns $prefix-fabric"
    echo "link set in up"
    echo "addr add ${subnets[n - 1]}.2/24 dev in"
  fi
  case $kind-$n in
    steered-0) echo "route add default via 10.1.0.1" ;;
    "steered-$last") echo "route add default via 10.2.0.1" ;;
    *)
      ((n >= hops)) || echo "route add 10.2.0.0/24 via ${subnets[n]}.2"
      ((n <= 1)) || echo "route add 10.1.0.0/24 via ${subnets[n - 1]}.3"
      ;;
  esac
}

# Commands for the fabric: the bridge of a link.
bridge() { printf 'link add name br%d type bridge mcast_snooping 0\nlink set br%d up\n' "$1" "$1"; }

# Commands for the fabric: plug LINK PORT… puts ports on the bridge of a link.
plug() { printf "link set %s master br$1 up\n" "${@:2}"; }

# What a service chain with the match `tcp dport 5999` does, at the ports of client and server.
rules() {
  echo "table netdev steering {
    chain client {
      type filter hook ingress device a0 priority 0
      ip saddr 10.1.0.0/24 ip daddr 10.2.0.0/24 tcp dport 5999 ether daddr set $in
    }
    chain server {
      type filter hook ingress device b$hops priority 0
      ip saddr 10.2.0.0/24 ip daddr 10.1.0.0/24 tcp sport 5999 ether daddr set $out
    }
  }"
}

wire() {
  local begin=$EPOCHREALTIME n
  for ((n = from; n <= to; n++)); do links "$n" | batch "${nodes[n]}"; done
  if [ "$kind" != pairs ]; then
    {
      for ((n = from; n < to; n++)); do bridge "$n"; plug "$n" "a$n" "b$n"; done
      [ "$kind" != steered ] || { plug 0 b0; plug "$hops" "a$hops"; }
    } | batch fabric
  fi
  [ "$kind" != steered ] || rules | nsenter --net="/run/netns/$prefix-fabric" nft -f -
  echo "$begin $EPOCHREALTIME"
}

unwire() {
  local n
  [ "$kind" != steered ] || nsenter --net="/run/netns/$prefix-fabric" nft delete table netdev steering
  for ((n = from; n <= to; n++)); do
    ip -n "$prefix-${nodes[n]}" link del out 2>/dev/null || true
    ip -n "$prefix-${nodes[n]}" link del in 2>/dev/null || true
  done
  for ((n = from; n < to; n++)); do ip -n "$prefix-fabric" link del "br$n" 2>/dev/null || true; done
}

transfer() {
  ip netns exec "$prefix-server" iperf3 -s -1 -D -p 5999 >/dev/null
  sleep 0.3
  ip netns exec "$prefix-client" iperf3 -c 10.2.0.2 -p 5999 -t "$seconds" -f k -C cubic
}

remove() {
  for name in "${namespaces[@]}"; do
    ip netns pids "$prefix-$name" | xargs -r kill
    ip netns del "$prefix-$name"
  done
}

"$verb"
