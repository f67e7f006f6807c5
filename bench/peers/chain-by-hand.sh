# The topology of bench/cases/chains.ts by hand, with as few processes as ip -batch allows: client, HOPS routers, server, each in a namespace.
#
#   chain-by-hand.sh build|wire|unwire|transfer|remove PREFIX KIND HOPS [SECONDS]
#
# build makes namespaces, wire what is between them: a veth pair from each to the next (KIND pairs), or a bridge that both have a veth to
# (KIND bridges). Nothing is classified: all packets go through the hops, by routes in the main table, which is the least that can be done. wire prints
# when it began and ended, in seconds.
set -e
verb=$1 prefix=$2 kind=$3 hops=$4 seconds=${5:-1}
nodes=(client)
for ((i = 1; i <= hops; i++)); do nodes+=("h$i"); done
nodes+=(server)
last=$((${#nodes[@]} - 1))

build() {
  for node in "${nodes[@]}" fabric; do
    ip netns add "$prefix-$node"
    ip -n "$prefix-$node" link set lo up
    ip netns exec "$prefix-$node" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; for f in all default; do echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done; for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$f" ] || echo 0 >"$f"; done'
  done
}

# Commands for the namespace of the node of a number: its links to the one before (in) and the one after (out).
commands() {
  local n=$1 k
  if ((n < last)); then
    if [ "$kind" = pairs ]; then
      echo "link add name out type veth peer name in netns $prefix-${nodes[n + 1]}"
    else
      echo "link add name out type veth peer name a$n netns $prefix-fabric"
    fi
    echo "link set out up"
    echo "addr add 10.99.$n.1/24 dev out"
  fi
  if ((n > 0)); then
    [ "$kind" = pairs ] || echo "link add name in type veth peer name b$((n - 1)) netns $prefix-fabric"
    echo "link set in up"
    echo "addr add 10.99.$((n - 1)).2/24 dev in"
  fi
  ((n >= last - 1)) || echo "route add 10.99.$((last - 1)).0/24 via 10.99.$n.2"
  ((n <= 1)) || echo "route add 10.99.0.0/24 via 10.99.$((n - 1)).1"
}

wire() {
  local begin=$EPOCHREALTIME n
  for ((n = 0; n <= last; n++)); do commands "$n" | ip -n "$prefix-${nodes[n]}" -batch -; done
  if [ "$kind" = bridges ]; then
    for ((n = 0; n < last; n++)); do
      printf 'link add name br%d type bridge mcast_snooping 0\nlink set br%d up\nlink set a%d master br%d up\nlink set b%d master br%d up\n' $n $n $n $n $n $n
    done | ip -n "$prefix-fabric" -batch -
  fi
  echo "$begin $EPOCHREALTIME"
}

unwire() {
  local n
  for ((n = 0; n <= last; n++)); do
    ip -n "$prefix-${nodes[n]}" link del out 2>/dev/null || true
    ip -n "$prefix-${nodes[n]}" link del in 2>/dev/null || true
  done
  for ((n = 0; n < last; n++)); do ip -n "$prefix-fabric" link del "br$n" 2>/dev/null || true; done
}

transfer() {
  ip netns exec "$prefix-server" iperf3 -s -1 -D -p 5999 >/dev/null
  sleep 0.3
  ip netns exec "$prefix-client" iperf3 -c "10.99.$((last - 1)).2" -p 5999 -t "$seconds" -f k -C cubic
}

remove() {
  for node in "${nodes[@]}" fabric; do
    ip netns pids "$prefix-$node" | xargs -r kill
    ip netns del "$prefix-$node"
  done
}

"$verb"
