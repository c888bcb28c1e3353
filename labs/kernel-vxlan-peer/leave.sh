#!/bin/sh
# Undoes join.sh.   leave.sh [NAME]
set -eu
name=${1:-kernel-1}
kubectl delete node "$name" --ignore-not-found
[ ! -e "/run/netns/$name" ] || ip netns delete "$name"
ip link delete "$name-host" 2>/dev/null || true # the kernel takes it with the namespace, a moment later
