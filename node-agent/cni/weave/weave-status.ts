/** `weave status`, `weave status connections|peers|ipam`: in the form of weave 2.8. */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix, type IpPrefix } from '../../../shared/wire/ip-address.ts';
import { WEAVE_MTU_BYTES } from '../../datapath/network/weave-network.ts';
import { MESH_PORT } from './gossip.ts';
import type { Mesh } from './mesh.ts';
import type { Topology } from './topology.ts';
import type { WeaveIpam } from './weave-ipam.ts';

export interface WeaveView {
  readonly mesh: Mesh;
  readonly ipam: WeaveIpam;
  readonly topology: Topology;
  readonly name: string;
  readonly nickname: string;
  readonly range: IpPrefix;
}

const USAGE = 'Usage: weave status [connections | peers | ipam]\n';

export function weaveCommand(view: WeaveView, [verb = '', what = '']: readonly string[]): string {
  if (verb !== 'status') return USAGE;
  switch (what) {
    case '':
      return overview(view);
    case 'connections':
      return connections(view);
    case 'peers':
      return peers(view);
    case 'ipam':
      return ipam(view);
    default:
      return USAGE;
  }
}

function overview({ mesh, ipam, topology, name, nickname, range }: WeaveView): string {
  const established = mesh.connected.length;
  const all = topology.peers.reduce((sum, peer) => sum + peer.connections.length, 0);
  const rows = [
    ['Version', '2.8.1'],
    [],
    ['Service', 'router'],
    ['Protocol', 'weave 1..2'],
    ['Name', `${name}(${nickname})`],
    ['Encryption', 'disabled'],
    ['PeerDiscovery', 'enabled'],
    ['Targets', String(mesh.list().length)],
    ['Connections', `${mesh.list().length} (${states(established, mesh.list().length - established)})`],
    ['Peers', `${topology.peers.length} (with ${all} established connections)`],
    ['TrustedSubnets', 'none'],
    [],
    ['Service', 'ipam'],
    ['Status', ipam.isReady ? 'ready' : 'awaiting consensus'],
    ['Range', formatPrefix(range)],
    ['DefaultSubnet', formatPrefix(range)],
  ];
  const lines = rows.map(([title, value]) => (title === undefined ? '' : `${title.padStart(15)}: ${value}`));
  return `\n${lines.join('\n')}\n`;
}

function states(established: number, failed: number): string {
  return failed === 0 ? `${established} established` : `${established} established, ${failed} retrying`;
}

function connections({ mesh }: WeaveView): string {
  return mesh
    .list()
    .map(({ address, outbound, name, nickname }) => {
      const arrow = outbound ? '->' : '<-';
      const target = `${formatIpv4(address)}:${MESH_PORT}`.padEnd(21);
      const state = (name === undefined ? 'retrying' : 'established').padEnd(11);
      const info = name === undefined ? 'no connection' : `fastdp ${name}(${nickname}) mtu=${WEAVE_MTU_BYTES}`;
      return `${arrow} ${target} ${state} ${info}\n`;
    })
    .join('');
}

function peers({ topology }: WeaveView): string {
  return topology.peers
    .map(({ name, nickname, connections: others }) => {
      const lines = others.map((other) => `${`   -> ${other}(${topology.nicknameOf(other)})`.padEnd(52)}established\n`);
      return `${name}(${nickname})\n${lines.join('')}`;
    })
    .join('');
}

function ipam({ ipam: { ring, active }, topology, name }: WeaveView): string {
  return [...ring.owners]
    .sort((a, b) => Number(b === name) - Number(a === name))
    .map((owner) => {
      const owned = ring.rangesOf(owner).reduce((sum, { size }) => sum + size, 0);
      const share = ((owned / ring.size) * 100).toFixed(1).padStart(4, '0');
      const used = owner === name ? `(${active} active)` : '';
      const title = `${owner}(${topology.nicknameOf(owner)})`.padEnd(36);
      return `${title} ${String(owned).padStart(8)} IPs (${share}% of total) ${used}`.trimEnd().concat('\n');
    })
    .join('');
}
