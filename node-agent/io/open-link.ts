/** Which kind of socket carries a node's datagrams. */
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { DgramLink } from './dgram-link.ts';
import { EventLoop } from './event-loop.ts';
import { loadNativeSockets, type NativeSockets } from './native-socket.ts';
import { PolledLink } from './polled-link.ts';
import type { SocketLink, SocketLinkOptions } from './socket-link.ts';

/** `dgram`: Node's sockets, everywhere. `polled`: our own, polled through libuv. */
export type IoTier = 'dgram' | 'polled';
/** `auto` takes the fastest that passes its self-test here. */
export type IoTierChoice = IoTier | 'auto';

export interface OpenLinkOptions extends SocketLinkOptions {
  readonly tier: IoTierChoice;
}

export interface OpenedLink {
  readonly link: SocketLink;
  readonly tier: IoTier;
  /** Why `auto` took a slower one. */
  readonly fallback?: string;
}

const SELF_TEST_MS = 500;
const SELF_TEST_DATAGRAMS = 3;

/** Throws LinkBindError when nothing can be bound, and an error that says why when the tier asked for cannot be had. */
export async function openLink(options: OpenLinkOptions): Promise<OpenedLink> {
  const { tier } = options;
  if (tier === 'dgram') return { link: await DgramLink.open(options), tier };
  let sockets: NativeSockets;
  try {
    sockets = await loadNativeSockets();
    await selfTest(sockets);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (tier === 'polled') {
      throw new Error(`PODWIRE_IO_TIER=polled cannot be had here (${reason}); use dgram or auto`, { cause: error });
    }
    return { link: await DgramLink.open(options), tier: 'dgram', fallback: reason };
  }
  return { link: new PolledLink({ ...options, sockets }), tier: 'polled' };
}

/** Sends a few datagrams to itself; rejects when they do not arrive. */
async function selfTest(sockets: NativeSockets): Promise<void> {
  const memory = new PacketMemory({ smallSlots: 64, largeSlots: 16 });
  const loop = new EventLoop(new EventEngine({ random: () => 0 }));
  const link = new PolledLink({ sockets, memory, loop, bind: { address: '127.0.0.1', port: 0 } });
  let timeout: NodeJS.Timeout | undefined;
  try {
    const peer = link.addPeer(link.local);
    const arrived = new Promise<void>((resolve, reject) => {
      let count = 0;
      timeout = setTimeout(() => reject(new Error('datagrams sent to itself did not arrive')), SELF_TEST_MS);
      link.onReceive = (_, packets) => {
        count += packets.length;
        for (const packet of packets) memory.free(packet);
        if (count === SELF_TEST_DATAGRAMS) resolve();
      };
    });
    const datagrams = Array.from({ length: SELF_TEST_DATAGRAMS }, () => memory.allocate(1472));
    link.send(
      peer,
      datagrams.filter((packet) => packet !== undefined),
    );
    await arrived;
  } finally {
    clearTimeout(timeout);
    link.close();
    loop.close();
  }
}
