/** `weave report`: the state of a node's weave as JSON, in the fields of weave 2.8. */
import { formatIpv4, formatMac } from '../../../shared/wire/address.ts';
import { formatPrefix } from '../../../shared/wire/ip-address.ts';
import type { SecureSession } from '../../datapath/weave/secure-session.ts';
import type { WeavePeer } from '../../datapath/weave/weave-peer.ts';
import { SHORT_IDS } from '../../datapath/weave/weave-peer.ts';
import { HERE } from '../../datapath/weave/weave-switch.ts';
import { MESH_PORT } from './gossip.ts';
import { socketText } from './mesh.ts';
import { connectionRows } from './weave-status.ts';
import type { WeaveView } from './weave-view.ts';

export function weaveReport(view: WeaveView): string {
  return `${JSON.stringify({ Ready: true, Version: '2.8.1', Router: router(view), IPAM: ipam(view) }, null, 4)}\n`;
}

function router(view: WeaveView): object {
  const { topology, name, nickname, isEncrypted, mesh } = view;
  return {
    Protocol: 'weave',
    ProtocolMinVersion: 1,
    ProtocolMaxVersion: 2,
    Encryption: isEncrypted,
    PeerDiscovery: true,
    Name: name,
    NickName: nickname,
    Port: MESH_PORT,
    Peers: topology.peers.map((peer) => ({
      Name: peer.name,
      NickName: peer.nickname,
      ShortID: Number(`0x${peer.name.replaceAll(':', '')}`) % SHORT_IDS,
      Version: peer.version,
      Connections: peer.connections.map((connection) => ({
        Name: connection.name,
        NickName: topology.nicknameOf(connection.name),
        Address: connection.address,
        Outbound: connection.outbound,
        Established: true,
      })),
    })),
    UnicastRoutes: [...topology.unicastRoutes()].map(([Dest, Via]) => ({ Dest, Via })),
    BroadcastRoutes: topology.peers.map((peer) => ({ Source: peer.name, Via: topology.broadcastRoutes(peer.name) })),
    Connections: connectionRows(view).map(({ target: { address, outbound }, state, info, attributes }) => ({
      Address: socketText(address),
      Outbound: outbound,
      State: state,
      Info: info,
      Attrs: attributes,
    })),
    Targets: mesh.list().map(({ address }) => formatIpv4(address)),
    OverlayDiagnostics: diagnostics(view),
    MACs: macs(view),
  };
}

/** What became of packets on the two ways; the counters of what was dropped are those of IPsec's states, for the sleeve too. */
function diagnostics({ network, topology }: WeaveView): object {
  const peers = [...network.peers.all];
  const sessions = (of: (peer: WeavePeer) => SecureSession | null): object[] =>
    peers.flatMap((peer) => {
      const session = of(peer);
      const name = formatMac(peer.name);
      return session === null ? [] : { Peer: name, NickName: topology.nicknameOf(name), ...sessionReport(session) };
    });
  const { counters } = network.sleeve;
  return {
    fastdp: { XfrmInDropped: network.esp.lost, XfrmStates: sessions(({ fastdp }) => fastdp) },
    sleeve: {
      DatagramsSent: counters.sentDatagrams,
      FramesSent: counters.sentFrames,
      DatagramsReceived: counters.receivedDatagrams,
      FramesReceived: counters.receivedFrames,
      Dropped: counters.lost,
      Sessions: sessions(({ sleeve }) => sleeve),
    },
  };
}

/** Keys are nobody's to see. */
function sessionReport({ cipher, replayed, forged }: SecureSession): object {
  const spi = (index: number): string => `0x${index.toString(16).padStart(8, '0')}`;
  return {
    SpiIn: spi(cipher.receive.index),
    SpiOut: spi(cipher.send.index),
    Aead: 'rfc4106(gcm(aes))',
    Replayed: replayed,
    NotAuthentic: forged,
  };
}

function macs({ network, topology, name: own, nowUs }: WeaveView): object[] {
  return network.switch.learned.list(nowUs).flatMap(({ macAddress, port, updatedUs }) => {
    if (port === null) return [];
    const name = port === HERE ? own : formatMac(port.name);
    const ageSeconds = Math.round((nowUs - updatedUs) / 1e6);
    return { Mac: formatMac(macAddress), Name: name, NickName: topology.nicknameOf(name), AgeSeconds: ageSeconds };
  });
}

function ipam({ ipam: { ring, state }, topology, range }: WeaveView): object {
  const known = new Set(topology.peers.map(({ name }) => name));
  const { tokens } = ring;
  return {
    Paxos: ring.isEmpty ? state.paxos : null,
    Range: formatPrefix(range),
    RangeNumIPs: ring.size,
    DefaultSubnet: formatPrefix(range),
    Entries: tokens.map(({ start, owner, version }, i) => ({
      Token: formatIpv4(start),
      Size: (tokens[i + 1]?.start ?? ring.start + ring.size) - start,
      Peer: owner,
      Nickname: topology.nicknameOf(owner),
      IsKnownPeer: known.has(owner),
      Version: version,
    })),
  };
}
