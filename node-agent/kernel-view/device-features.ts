/** `ethtool -k`: what the drivers of devices can do for who sends, as Linux 6.18 tells it. The emulation cuts super-segments itself. */
import type { NetDevice } from '../../shared/netstack/device.ts';

/** Of a bridge. */
const FEATURES = `rx-checksumming: off [fixed]
tx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: on
\ttx-checksum-ipv6: off [fixed]
\ttx-checksum-fcoe-crc: off [fixed]
\ttx-checksum-sctp: off [fixed]
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: on
tcp-segmentation-offload: on
\ttx-tcp-segmentation: on
\ttx-tcp-ecn-segmentation: on
\ttx-tcp-mangleid-segmentation: on
\ttx-tcp6-segmentation: on
\ttx-tcp-accecn-segmentation: on
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: off [fixed]
tx-vlan-offload: on
ntuple-filters: off [fixed]
receive-hashing: off [fixed]
highdma: on
rx-vlan-filter: off [fixed]
vlan-challenged: off [fixed]
tx-gso-robust: off [requested on]
tx-fcoe-segmentation: off [requested on]
tx-gre-segmentation: on
tx-gre-csum-segmentation: on
tx-ipxip4-segmentation: on
tx-ipxip6-segmentation: on
tx-udp_tnl-segmentation: on
tx-udp_tnl-csum-segmentation: on
tx-gso-partial: on
tx-tunnel-remcsum-segmentation: on
tx-sctp-segmentation: on
tx-esp-segmentation: on
tx-udp-segmentation: on
tx-gso-list: on
tx-nocache-copy: off
loopback: off [fixed]
rx-fcs: off [fixed]
rx-all: off [fixed]
tx-vlan-stag-hw-insert: on
rx-vlan-stag-hw-parse: off [fixed]
rx-vlan-stag-filter: off [fixed]
l2-fwd-offload: off [fixed]
hw-tc-offload: off [fixed]
esp-hw-offload: off [fixed]
esp-tx-csum-hw-offload: off [fixed]
rx-udp_tunnel-port-offload: off [fixed]
tls-hw-tx-offload: off [fixed]
tls-hw-rx-offload: off [fixed]
rx-gro-hw: off [fixed]
tls-hw-record: off [fixed]
rx-gro-list: off
macsec-hw-offload: off [fixed]
rx-udp-gro-forwarding: off
hsr-tag-ins-offload: off [fixed]
hsr-tag-rm-offload: off [fixed]
hsr-fwd-offload: off [fixed]
hsr-dup-offload: off [fixed]
`;

/** What a device cannot cut that carries no tunnels' packets to the wire. */
const NOT_OF_TUNNELS = [
  'tx-gso-robust: off [fixed]',
  'tx-fcoe-segmentation: off [fixed]',
  'tx-gre-segmentation: off [fixed]',
  'tx-gre-csum-segmentation: off [fixed]',
  'tx-ipxip4-segmentation: off [fixed]',
  'tx-ipxip6-segmentation: off [fixed]',
  'tx-udp_tnl-segmentation: off [fixed]',
  'tx-udp_tnl-csum-segmentation: off [fixed]',
  'tx-gso-partial: off [fixed]',
  'tx-tunnel-remcsum-segmentation: off [fixed]',
  'tx-esp-segmentation: off [fixed]',
];

/** In what others differ. */
const LOOPBACK = [
  'rx-checksumming: on [fixed]',
  'tx-checksum-ip-generic: on [fixed]',
  'tx-checksum-sctp: on [fixed]',
  'tx-scatter-gather: on [fixed]',
  'tx-scatter-gather-fraglist: on [fixed]',
  'tx-vlan-offload: off [fixed]',
  'highdma: on [fixed]',
  'vlan-challenged: on [fixed]',
  ...NOT_OF_TUNNELS,
  'tx-nocache-copy: off [fixed]',
  'loopback: on [fixed]',
  'tx-vlan-stag-hw-insert: off [fixed]',
];
const VETH = [
  'rx-checksumming: on',
  'tx-checksum-sctp: on',
  'generic-receive-offload: off',
  'rx-vlan-offload: on',
  'tx-gso-robust: off [fixed]',
  'tx-fcoe-segmentation: off [fixed]',
  'tx-gso-partial: off [fixed]',
  'tx-tunnel-remcsum-segmentation: off [fixed]',
  'tx-esp-segmentation: off [fixed]',
  'rx-vlan-stag-hw-parse: on',
];
const TUNNEL = [
  'rx-checksumming: on',
  'tx-vlan-offload: off [fixed]',
  'highdma: off [fixed]',
  ...NOT_OF_TUNNELS,
  'tx-vlan-stag-hw-insert: off [fixed]',
];

const OTHER: Readonly<Partial<Record<NetDevice['kind'], readonly string[]>>> = {
  loopback: LOOPBACK,
  veth: VETH,
  vxlan: TUNNEL,
  geneve: TUNNEL,
  ipip: TUNNEL,
  wireguard: TUNNEL,
  tun: TUNNEL,
};

export function offloadText({ name, kind }: NetDevice): string {
  const differences = new Map((OTHER[kind] ?? []).map((line) => [line.split(':')[0], line]));
  const lines = FEATURES.split('\n').map((line) => {
    const other = differences.get(line.trim().split(':')[0]);
    return other === undefined ? line : line.replace(line.trim(), other);
  });
  return `Features for ${name}:\n${lines.join('\n')}`;
}
