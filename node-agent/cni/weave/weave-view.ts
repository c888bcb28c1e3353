/** `weave` on the node, as the original's script is called. */
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { WeaveNetwork } from '../../datapath/network/weave-network.ts';
import type { Mesh } from './mesh.ts';
import type { PeerLinks } from './peer-links.ts';
import type { Topology } from './topology.ts';
import type { WeaveIpam } from './weave-ipam.ts';
import { weaveReport } from './weave-report.ts';
import { weaveStatus } from './weave-status.ts';

/** What there is to see of a node's weave. */
export interface WeaveView {
  readonly mesh: Mesh;
  readonly links: PeerLinks;
  readonly ipam: WeaveIpam;
  readonly topology: Topology;
  readonly network: WeaveNetwork;
  readonly name: string;
  readonly nickname: string;
  readonly range: IpPrefix;
  readonly isEncrypted: boolean;
  readonly nowUs: number;
}

const USAGE = `Usage:
weave status [targets | connections | peers | dns | ipam]
weave report
weave rmpeer <peer> [<peer> ...]
`;

export function weaveCommand(view: WeaveView, [verb = '', ...words]: readonly string[]): string {
  if (verb === 'status') return weaveStatus(view, words[0] ?? '');
  if (verb === 'report') return weaveReport(view);
  if (verb === 'rmpeer' && words.length > 0) return words.map((peer) => removePeer(view, peer)).join('');
  return USAGE;
}

/** Takes the addresses of a peer that is gone for good; `peer` is its name or its nickname. */
function removePeer({ ipam, topology, name, nickname }: WeaveView, peer: string): string {
  if (peer === name || peer === nickname) return 'Cannot take over ranges from yourself!\n';
  const owner = [...ipam.ring.owners].find((known) => known === peer || topology.nicknameOf(known) === peer);
  if (owner === undefined) return `Cannot find peer '${peer}': no addresses are its own\n`;
  if (topology.peers.some((known) => known.name === owner)) return `Peer '${peer}' is alive, and keeps its addresses\n`;
  return `${ipam.inherit(owner)} IPs taken over from ${peer}\n`;
}
