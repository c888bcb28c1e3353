#!/bin/sh
# Makes a network namespace whose kernel VXLAN device is a node of the running cluster, as flannel programs it on a real
# one. Run it again when a node has come, gone or restarted: routes and entries are brought up to date.
#
#   join.sh [NAME]      NAME: of the namespace and of the Node; kernel-1 by default
set -eu

for tool in ip bridge ethtool sysctl kubectl; do
  command -v "$tool" >/dev/null || { echo "join.sh: $tool is not installed" >&2; exit 1; }
done

name=${1:-kernel-1}
pod_cidr=10.244.99.0/24
pod_network=${pod_cidr%/*}
internal_ip=192.168.1.99
vtep_mac=02:00:00:00:00:99
host_address=10.99.0.1
peer_address=10.99.0.2

# Everything between this namespace and the machine's own: a cable, and the nodes' loopback addresses behind it.
make_namespace() {
  ip netns add "$name"
  ip link add "$name-host" type veth peer name eth0 netns "$name"
  ip address add "$host_address/30" dev "$name-host"
  ip link set "$name-host" up
  ip -n "$name" address add "$peer_address/30" dev eth0
  ip -n "$name" link set eth0 up
  ip -n "$name" link set lo up
  # A cable leaves checksums and segmentation to a network card that is not there; without this, what is inside the
  # datagrams would arrive with half-made checksums.
  ip netns exec "$name" ethtool -K eth0 tx off >/dev/null
  # The nodes' sockets are bound to 127.0.x.y of the machine: those addresses are behind the cable, not on this lo.
  ip -n "$name" address del 127.0.0.1/8 dev lo
  ip -n "$name" address add 127.0.0.1/32 dev lo
  ip -n "$name" route add 127.0.0.0/8 via "$host_address"
  sysctl -qw "net.ipv4.conf.$name-host.route_localnet=1"
  ip netns exec "$name" sysctl -qw net.ipv4.conf.eth0.route_localnet=1
}

make_vxlan_device() {
  ip -n "$name" link add flannel.1 address "$vtep_mac" mtu 1450 \
    type vxlan id 1 local "$peer_address" dstport 4789 nolearning
  ip -n "$name" address add "$pod_network/32" dev flannel.1
  ip -n "$name" link set flannel.1 up
}

# The annotations are what tells the cluster's nodes where this one is.
make_node() {
  kubectl apply -f - <<NODE
apiVersion: v1
kind: Node
metadata:
  name: $name
  annotations:
    podwire.dev/underlay-endpoint: $peer_address:4789
    podwire.dev/underlay-mac: 02:42:c0:a8:01:63
    flannel.alpha.coreos.com/backend-type: vxlan
    flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"$vtep_mac"}'
    flannel.alpha.coreos.com/public-ip: $internal_ip
spec:
  podCIDR: $pod_cidr
  podCIDRs: [$pod_cidr]
status:
  addresses: [{ type: InternalIP, address: $internal_ip }]
NODE
}

# One route, one neighbour and one FDB entry for every other node.
add_peer() {
  cidr=$1 endpoint=$2 mac=$3
  network=${cidr%/*}
  ip -n "$name" route replace "$cidr" via "$network" dev flannel.1 onlink
  ip -n "$name" neigh replace "$network" lladdr "$mac" dev flannel.1 nud permanent
  bridge -n "$name" fdb replace "$mac" dev flannel.1 dst "${endpoint%:*}" self permanent
}

peers='{range .items[*]}{.metadata.name}{" "}{.spec.podCIDR}{" "}
{.metadata.annotations.podwire\.dev/underlay-endpoint}{" "}
{.metadata.annotations.flannel\.alpha\.coreos\.com/backend-data}{"\n"}{end}'

[ -e "/run/netns/$name" ] || { make_namespace && make_vxlan_device; }
make_node
kubectl get nodes -o jsonpath="$(printf %s "$peers" | tr -d '\n')" |
  while read -r node cidr endpoint data; do
    mac=$(printf %s "$data" | sed -n 's/.*"VtepMAC":"\([^"]*\)".*/\1/p')
    [ "$node" = "$name" ] || add_peer "$cidr" "$endpoint" "$mac"
  done
