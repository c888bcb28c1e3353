/** `weave status`, `weave status connections|peers|ipam`: in the form of weave 2.8. */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix } from '../../../shared/wire/ip-address.ts';
import { type MeshTarget, socketText } from './mesh.ts';
import type { WeaveView } from './weave-view.ts';

const USAGE = 'Usage: weave status [targets | connections | peers | dns | ipam]\n';

export function weaveStatus(view: WeaveView, what: string): string {
  switch (what) {
    case '':
      return overview(view);
    case 'connections':
      return connections(view);
    case 'peers':
      return peers(view);
    case 'ipam':
      return ipam(view);
    case 'targets':
      return view.mesh
        .list()
        .map(({ address }) => `${formatIpv4(address)}\n`)
        .join('');
    // Kubernetes has a DNS of its own, and weave's is off.
    case 'dns':
      return '';
    default:
      return USAGE;
  }
}

function overview(view: WeaveView): string {
  const { mesh, ipam, topology, name, nickname, range, isEncrypted } = view;
  const all = topology.peers.reduce((sum, peer) => sum + peer.connections.length, 0);
  const rows = [
    ['Version', '2.8.1'],
    [],
    ['Service', 'router'],
    ['Protocol', 'weave 1..2'],
    ['Name', `${name}(${nickname})`],
    ['Encryption', isEncrypted ? 'enabled' : 'disabled'],
    ['PeerDiscovery', 'enabled'],
    ['Targets', String(mesh.list().length)],
    ['Connections', `${mesh.list().length} (${states(view)})`],
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

/** `2 established, 1 failed` */
function states(view: WeaveView): string {
  const counts = new Map<string, number>();
  for (const { state } of connectionRows(view)) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

export interface ConnectionRow {
  readonly target: MeshTarget;
  readonly state: string;
  readonly info: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** Those that are established first. */
export function connectionRows(view: WeaveView): readonly ConnectionRow[] {
  const rows = view.mesh.list().map((target) => connectionRow(view, target));
  const rank = ({ state }: ConnectionRow): number => ['established', 'pending'].indexOf(state) >>> 0;
  return rows.sort((a, b) => rank(a) - rank(b));
}

function connectionRow({ links, isEncrypted, nowUs }: WeaveView, target: MeshTarget): ConnectionRow {
  const { connection, error, retryUs, outbound } = target;
  if (connection !== null) {
    const way = links.wayTo(connection.name);
    const title = `${(way?.overlay ?? 'none').padEnd(6)} ${connection.name}(${connection.nickname})`;
    const attributes = way === undefined ? {} : { ...(isEncrypted && { encrypted: true }), mtu: way.mtuBytes };
    const info = isEncrypted ? `${'encrypted'.padEnd(11)} ${title}` : title;
    return { target, state: way === undefined ? 'pending' : 'established', info, attributes };
  }
  if (error === undefined) return { target, state: outbound ? 'connecting' : 'waiting', info: '', attributes: {} };
  const seconds = Math.ceil((retryUs - nowUs) / 1e6);
  const retry = outbound ? `, retry: in ${Math.max(0, seconds)}s` : '';
  return { target, state: seconds > 0 || !outbound ? 'failed' : 'retrying', info: `${error}${retry}`, attributes: {} };
}

function connections(view: WeaveView): string {
  return connectionRows(view)
    .map(({ target: { address, outbound }, state, info, attributes }) => {
      const arrow = outbound ? '->' : '<-';
      // As the original prints them: without a space between.
      const shown = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
      const line = `${arrow} ${socketText(address).padEnd(21)} ${state.padEnd(11)} ${info} ${shown.join('')}`;
      return `${line.trimEnd()}\n`;
    })
    .join('');
}

function peers({ topology }: WeaveView): string {
  return topology.peers
    .map((peer) => {
      const lines = peer.connections.map(({ name, address, outbound }) => {
        const title = `${name}(${topology.nicknameOf(name)})`;
        return `   ${outbound ? '->' : '<-'} ${address.padEnd(21)} ${title.padEnd(37)} established\n`;
      });
      return `${peer.name}(${peer.nickname})\n${lines.join('')}`;
    })
    .join('');
}

function ipam({ ipam: { ring, active }, topology, name }: WeaveView): string {
  const seen = new Set(topology.peers.map((peer) => peer.name));
  return [...ring.owners]
    .sort((a, b) => Number(b === name) - Number(a === name))
    .map((owner) => {
      const owned = ring.sizeOf(owner);
      const share = ((owned / ring.size) * 100).toFixed(1).padStart(4, '0');
      const note = owner === name ? `(${active} active)` : seen.has(owner) ? '' : '- unreachable!';
      const title = `${owner}(${topology.nicknameOf(owner)})`.padEnd(36);
      return `${title} ${String(owned).padStart(8)} IPs (${share}% of total) ${note}`.trimEnd().concat('\n');
    })
    .join('');
}
