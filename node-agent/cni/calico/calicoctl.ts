/** `calicoctl` on a node: its BGP peers; and of the cluster its pools, their blocks and the nodes, as this node knows them. */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix } from '../../../shared/wire/ip-address.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import { uptime } from '../bgp/uptime.ts';
import type { IpamView } from './ipam-commands.ts';
import { ipamCheck, ipamShow } from './ipam-commands.ts';
import { asOf, type BgpConfiguration, type BgpNode, type BgpPeer, peerTypeOf } from './peerings.ts';
import { boxed, columns } from './printed-table.ts';

export interface CalicoctlView extends IpamView {
  /** Undefined where no BGP runs. */
  readonly speaker: BgpSpeaker | undefined;
  readonly nowUs: number;
  readonly nodes: readonly Pick<BgpNode, 'name' | 'internalIp' | 'annotations'>[];
  readonly nodePrefixLength: number;
  readonly bgpConfiguration: BgpConfiguration;
  readonly bgpPeers: readonly BgpPeer[];
}

const USAGE =
  'node status, ipam show [--show-blocks] [--show-borrowed] [--show-configuration] [--ip=IP], ipam check, get nodes [-o wide], get ippools [-o wide], get bgppeers, get bgpconfig';

export function calicoctl(view: CalicoctlView, words: readonly string[]): string {
  const isWide = /(^| )(-o ?|--output[= ])wide( |$)/.test(words.join(' '));
  const [verb = '', what = ''] = words.filter((word) => !word.startsWith('-') && word !== 'wide');
  if (verb === 'node' && what === 'status') return nodeStatus(view);
  if (verb === 'ipam' && what === 'show') return ipamShow(view, words);
  if (verb === 'ipam' && what === 'check') return ipamCheck(view);
  if (verb === 'get' && /^nodes?$/.test(what)) return columns(nodeRows(view, isWide));
  if (verb === 'get' && /^ip-?pools?$/i.test(what)) return columns(poolRows(view, isWide));
  if (verb === 'get' && /^bgp-?peers?$/i.test(what)) return columns(bgpPeerRows(view));
  if (verb === 'get' && /^bgp-?config(uration)?s?$/i.test(what)) return columns(bgpConfigurationRows(view));
  if (verb === 'get')
    return `${what || 'nothing'}: this calicoctl gets nodes, ippools, bgppeers and bgpconfig; policies and tiers are shown by kubectl get globalnetworkpolicies,tiers\n`;
  return `Invalid option: 'calicoctl ${words.join(' ')}'. This calicoctl knows ${USAGE}.\n`;
}

function nodeStatus({ speaker, nowUs }: CalicoctlView): string {
  const peers = (speaker?.status() ?? []).map(({ name, address, session, sinceUs }) => {
    const isUp = session.state === 'Established';
    const info = isUp || session.lastError === '' ? session.state : `${session.state} ${session.lastError}`;
    const state = isUp ? 'up' : 'start';
    return [formatIpv4(address), peerTypeOf(name), state, uptime(nowUs - sinceUs), info];
  });
  const header = ['PEER ADDRESS', 'PEER TYPE', 'STATE', 'SINCE', 'INFO'];
  const table = peers.length === 0 ? 'No IPv4 peers found.\n' : boxed(header, peers);
  const running =
    speaker === undefined ? 'The BGP backend process (BIRD) is not running.\n' : `IPv4 BGP status\n${table}`;
  return `Calico process is running.\n\n${running}\nIPv6 BGP status\nNo IPv6 peers found.\n`;
}

function nodeRows({ nodes, nodePrefixLength, bgpConfiguration }: CalicoctlView, isWide: boolean): string[][] {
  if (!isWide) return [['NAME'], ...nodes.map(({ name }) => [name])];
  const rows = nodes.map((node) => [
    node.name,
    `(${asOf(node, bgpConfiguration)})`,
    `${formatIpv4(node.internalIp)}/${nodePrefixLength}`,
    '',
  ]);
  return [['NAME', 'ASN', 'IPV4', 'IPV6'], ...rows];
}

function poolRows({ pools }: CalicoctlView, isWide: boolean): string[][] {
  const selector = (text: string) => (text === '' ? 'all()' : text);
  if (!isWide) {
    const rows = pools.map(({ name, cidr, nodeSelector }) => [name, formatPrefix(cidr), selector(nodeSelector)]);
    return [['NAME', 'CIDR', 'SELECTOR'], ...rows];
  }
  const rows = pools.map((pool) => [
    pool.name,
    formatPrefix(pool.cidr),
    String(pool.natOutgoing),
    pool.ipipMode,
    pool.vxlanMode,
    String(pool.disabled),
    'false',
    selector(pool.nodeSelector),
  ]);
  return [['NAME', 'CIDR', 'NAT', 'IPIPMODE', 'VXLANMODE', 'DISABLED', 'DISABLEBGPEXPORT', 'SELECTOR'], ...rows];
}

function bgpPeerRows({ bgpPeers }: CalicoctlView): string[][] {
  const rows = bgpPeers.map(({ name, peerIP, peerSelector, node, nodeSelector, asNumber = 0 }) => [
    name,
    peerIP ?? peerSelector ?? '',
    node ?? nodeSelector ?? '(global)',
    String(asNumber),
  ]);
  return [['NAME', 'PEERIP', 'NODE', 'ASN'], ...rows];
}

function bgpConfigurationRows({ bgpConfiguration: { nodeToNodeMeshEnabled, asNumber } }: CalicoctlView): string[][] {
  const header = ['NAME', 'LOGSEVERITY', 'MESHENABLED', 'ASNUMBER'];
  if (nodeToNodeMeshEnabled === undefined && asNumber === undefined) return [header];
  return [header, ['default', 'Info', String(nodeToNodeMeshEnabled ?? ''), String(asNumber ?? '-')]];
}
