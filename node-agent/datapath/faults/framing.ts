/** How what passes a faulty link is framed: where its Ethernet frame begins, and what it is long on the wire. */
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import { OUTER_BYTES } from '../capture/outer-frame.ts';
import { PLAIN_VNI } from '../underlay.ts';

export interface Framing {
  /** Bytes before the Ethernet header. */
  headerBytes(packet: Packet): number;
  /** As the network that the link stands for carries it, all headers counted: what a rate is of. */
  wireBytes(packet: Packet): number;
}

/** At a device: its frames. */
export const FRAMES: Framing = { headerBytes: () => 0, wireBytes: ({ length }) => length };

/** Between two nodes: datagrams with their VXLAN header. VNI 0 is the wire itself; others are carried there in UDP. */
export function datagrams({ view }: PacketMemory): Framing {
  return {
    headerBytes: () => vxlan.HEADER_BYTES,
    wireBytes: ({ offset, length }) =>
      vxlan.vni(view, offset) === PLAIN_VNI ? length - vxlan.HEADER_BYTES : length + OUTER_BYTES,
  };
}

/** At the nodes' card: its own frames, and datagrams of an overlay, which its queue knows by their mark (`Underlay`). */
export const CARD: Framing = {
  headerBytes: ({ mark }) => (mark === 0 ? 0 : vxlan.HEADER_BYTES),
  wireBytes: ({ mark, length }) => (mark === 0 ? length : length + OUTER_BYTES),
};
