/**
 * What becomes of the mesh's connections in the data path: keys for their packets, the way that works for each, and the sleeve's MTU.
 *
 *   connection -> keys -> words over fastdp and sleeve -> confirmed over TCP -> the best way that works -> established
 */

import type { Engine } from '../../../shared/netstack/engine.ts';
import { parseMac } from '../../../shared/wire/address.ts';
import { WEAVE_MTU_BYTES, type WeaveNetwork } from '../../datapath/network/weave-network.ts';
import type { OverlayName, WeavePeer } from '../../datapath/weave/weave-peer.ts';
import type { MeshMessage, PeerConnection } from './gossip.ts';
import { connectionTitle, type MeshConnection, socketText } from './mesh.ts';
import { OverlaySwitch } from './overlay-switch.ts';
import { SleeveMtu } from './sleeve-mtu.ts';

/** A word over the sleeve; its length is of no account. */
const SLEEVE_HEARTBEAT_BYTES = 46;

export interface PeerLinksOptions {
  readonly engine: Engine;
  readonly network: WeaveNetwork;
  readonly holdUs: number;
  readonly log: (line: string) => void;
  readonly send: (to: string, message: MeshMessage) => void;
  readonly close: (connection: MeshConnection, error: string) => void;
  /** Connections were established or are no longer. */
  readonly changed: () => void;
}

interface PeerLink {
  readonly connection: MeshConnection;
  readonly peer: WeavePeer;
  readonly overlays: OverlaySwitch;
  readonly mtu: SleeveMtu;
}

export class PeerLinks {
  private readonly options: PeerLinksOptions;
  /** By the other's name. */
  private readonly links = new Map<string, PeerLink>();

  constructor(options: PeerLinksOptions) {
    this.options = options;
    options.network.heard = (from, way, mtuBytes) => {
      const link = [...this.links.values()].find(({ peer }) => peer === from);
      if (link !== undefined) options.send(link.connection.name, { kind: 'heard', way, mtuBytes });
    };
  }

  opened(connection: MeshConnection): void {
    const { network, engine, holdUs, changed } = this.options;
    const peer = network.peers.named(parseMac(connection.name) ?? 0);
    if (peer === undefined) return;
    network.connect(peer, connection.ciphers);
    const overlays = new OverlaySwitch({
      overlays: connection.overlays,
      nowUs: () => engine.nowUs,
      holdUs,
      probe: (overlay) => this.probe(peer, overlay),
      chosen: (best) => {
        peer.way = best;
        const { name, nickname } = connection;
        if (best !== null) this.options.log(`overlay_switch ->[${name}(${nickname})] using ${best}`);
        changed();
      },
      log: (overlay, line) => this.options.log(`${overlay} ->[${connectionTitle(connection)}]: ${line}`),
    });
    this.links.set(connection.name, { connection, peer, overlays, mtu: this.mtuOf(connection, peer) });
  }

  /** A peer that was made anew in the data path, as its socket is elsewhere, needs a connection of its own. */
  follow(name: string): void {
    const link = this.links.get(name);
    if (link === undefined || this.options.network.peers.named(link.peer.name) === link.peer) return;
    this.options.close(link.connection, 'peer has moved');
  }

  closed({ name }: MeshConnection): void {
    const link = this.links.get(name);
    if (link === undefined) return;
    this.links.delete(name);
    link.mtu.stop();
    this.options.network.disconnect(link.peer);
    this.options.changed();
  }

  /** True while no way is known to work. */
  beat(connection: MeshConnection): boolean {
    const link = this.links.get(connection.name);
    if (link === undefined) return false;
    const isWaiting = link.overlays.beat();
    if (link.overlays.isHopeless) {
      this.options.close(connection, `no working forwarders to ${connection.name}(${connection.nickname})`);
    }
    return isWaiting;
  }

  /** The other peer had a word. */
  confirmed({ name }: MeshConnection, way: OverlayName, mtuBytes: number): void {
    const link = this.links.get(name);
    link?.overlays.confirmed(way);
    if (way !== 'sleeve' || link === undefined) return;
    link.mtu.confirmed(mtuBytes);
    if (link.peer.sleeveMtuBytes === Number.POSITIVE_INFINITY) {
      link.peer.sleeveMtuBytes = this.options.network.sleeve.pathLimitBytes(link.peer);
      link.mtu.start();
    }
  }

  /** Those that packets go over. */
  get established(): readonly PeerConnection[] {
    return [...this.links.values()].flatMap(({ connection, overlays }) => {
      const { name, address, outbound } = connection;
      return overlays.best === null ? [] : { name, address: socketText(address), outbound };
    });
  }

  /** By which way, and how large a packet of a pod may be there; undefined while none works. */
  wayTo(name: string): { readonly overlay: OverlayName; readonly mtuBytes: number } | undefined {
    const link = this.links.get(name);
    const overlay = link?.overlays.best ?? null;
    if (link === undefined || overlay === null) return undefined;
    return { overlay, mtuBytes: overlay === 'fastdp' ? WEAVE_MTU_BYTES : link.peer.sleeveMtuBytes };
  }

  private probe(peer: WeavePeer, overlay: OverlayName): void {
    const { network } = this.options;
    // A path that takes no whole packet is none for the fast datapath, which cannot cut them.
    if (overlay === 'fastdp') network.switch.probe(peer, WEAVE_MTU_BYTES);
    else network.sleeve.probe(peer, SLEEVE_HEARTBEAT_BYTES);
  }

  private mtuOf(connection: MeshConnection, peer: WeavePeer): SleeveMtu {
    const { engine, network, log } = this.options;
    return new SleeveMtu({
      engine,
      limitBytes: () => network.sleeve.pathLimitBytes(peer),
      probe: (mtuBytes) => network.sleeve.probe(peer, mtuBytes),
      verified: (mtuBytes) => {
        peer.sleeveMtuBytes = mtuBytes;
        log(`sleeve ->[${connectionTitle(connection)}]: Effective MTU verified at ${mtuBytes}`);
      },
    });
  }
}
