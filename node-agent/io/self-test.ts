/** Whether a kind of link works here: it sends a batch to itself. */
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { EventLoop } from './event-loop.ts';
import type { SocketLink, SocketLinkOptions } from './socket-link.ts';

export const SELF_TEST_LIMIT_MS = 500;
const DATAGRAMS = 3;
const DATAGRAM_BYTES = 1472;

/** Rejects when the link cannot be opened, or when what it sends does not arrive. */
export async function selfTest(open: (options: SocketLinkOptions) => SocketLink): Promise<void> {
  const memory = new PacketMemory({ smallSlots: 64, largeSlots: 16 });
  const loop = new EventLoop(new EventEngine({ random: () => 0 }));
  const link = open({ memory, loop, bind: { address: '127.0.0.1', port: 0 } });
  let timeout: NodeJS.Timeout | undefined;
  try {
    const peer = link.addPeer(link.local);
    const arrived = new Promise<void>((resolve, reject) => {
      let count = 0;
      const fail = (): void => reject(new Error('datagrams sent to itself did not arrive'));
      // The time may be over because this process had no processor: sockets, and what they put off, have their turns first.
      timeout = setTimeout(() => setImmediate(() => setImmediate(fail)), SELF_TEST_LIMIT_MS);
      link.onReceive = (_, packets) => {
        count += packets.length;
        for (const packet of packets) memory.free(packet);
        if (count === DATAGRAMS) resolve();
      };
    });
    link.send(peer, batch(memory));
    await arrived;
  } finally {
    clearTimeout(timeout);
    link.close();
    loop.close();
  }
}

function batch(memory: PacketMemory): Packet[] {
  const { view } = memory;
  const datagrams: Packet[] = [];
  for (let number = 0; number < DATAGRAMS; number++) {
    const packet = memory.allocate(DATAGRAM_BYTES);
    if (packet === undefined) break;
    const network = packet.offset + vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
    vxlan.encode(view, packet.offset, 0);
    ethernet.encode(view, packet.offset + vxlan.HEADER_BYTES, 0, 0, ethernet.TYPE_IPV4);
    const ipBytes = packet.offset + DATAGRAM_BYTES - network;
    ipv4.encode(view, network, ipBytes, number, false, 1, ipv4.PROTOCOL_UDP, 0, 0);
    datagrams.push(packet);
  }
  return datagrams;
}
