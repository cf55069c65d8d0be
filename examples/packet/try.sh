#!/bin/sh
# A client, a balancer and two servers in network namespaces of this machine; nothing outside of them is changed, and all is taken away
# in the end. Needs root, iproute2, ethtool and curl.
#
#   sudo examples/packet/try.sh           asks nine times, and shows what the kernel counted
#   sudo examples/packet/try.sh --stay    stays until Enter, to look around
set -eu
here=$(cd "$(dirname "$0")" && pwd)
evener="node $here/../../bin/evener.js"
name=evener-try-$$
inside() { space=$1; shift; ip netns exec "$name-$space" "$@"; }
clean() {
  for space in client balancer a b; do
    ip netns pids "$name-$space" 2>/dev/null | xargs -r kill 2>/dev/null || true
    ip netns del "$name-$space" 2>/dev/null || true
  done
}
trap 'clean; wait 2>/dev/null' EXIT
trap 'exit 1' INT TERM

for space in client balancer a b; do
  ip netns add "$name-$space"
  inside "$space" ip link set lo up
done
# Between namespaces: whole checksums, and receivers that take packets from a program of the kernel.
wire() {
  ip link add "$2" netns "$name-$1" type veth peer name "$4" netns "$name-$3"
  inside "$1" ip link set "$2" up
  inside "$3" ip link set "$4" up
  inside "$1" ethtool -K "$2" tx off gro on >/dev/null
  inside "$3" ethtool -K "$4" tx off gro on >/dev/null
}
wire client eth0 balancer clients
inside client ip addr add 10.77.1.2/24 dev eth0
inside balancer ip addr add 10.77.1.1/24 dev clients
inside client ip route add default via 10.77.1.1
for server in a b; do
  net=10.77.$([ $server = a ] && echo 11 || echo 12)
  wire "$server" eth0 balancer "server-$server"
  inside balancer ip addr add "$net.1/24" dev "server-$server"
  inside "$server" ip addr add "$net.2/24" dev eth0
  inside "$server" ip route add default via "$net.1"
  inside "$server" node -e "require('http').createServer((_, answer) => answer.end('server $server\n')).listen(8080)" &
done
inside balancer $evener run -c "$here/evener.yaml" 2>"/tmp/$name.log" &
until inside balancer curl -sfo /dev/null http://127.0.0.1:9900/readyz; do sleep 0.1; done
cat "/tmp/$name.log"
rm "/tmp/$name.log"

for _ in 1 2 3 4 5 6 7 8 9; do inside client curl -s --max-time 3 http://10.77.0.100/; done
echo
inside balancer $evener packet status
[ "${1:-}" != --stay ] || { echo "in the client's namespace: ip netns exec $name-client curl http://10.77.0.100/   (Enter ends)"; read -r _; }
