/** Packet sockets of a network namespace: captures, as programs take them. */
import type { Host } from '../../shared/netstack/host.ts';
import type { Capture } from '../datapath/capture/capture.ts';
import type { CapturedFrame } from '../datapath/capture/capture-queue.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { PacketSocket, PacketSockets, SeenFrame } from '../images/image.ts';
import { wallClockNs } from '../io/wall-clock.ts';
import type { Turn } from './turn.ts';

/** Frames are handed over in pieces of this size, so that a long queue does not hold up the node. */
const BATCH_BYTES = 256 * 1024;

/** Of one namespace of the node; what is sent leaves in a turn of its own. */
export function packetSockets(datapath: NodeDatapath, host: Host, turn: Turn): PacketSockets {
  return {
    devices: () => datapath.devicesOf(host),
    transmit: (deviceName, frame) => turn(() => transmit(datapath, host, deviceName, frame)),
    // Throws when the node has as many captures as it may.
    open: ({ device, filter, snapBytes }) => {
      const places = [{ host, name: host.name }];
      return new CaptureSocket(datapath.captures.start({ places, device, filter, snapBytes }));
    },
  };
}

function transmit(datapath: NodeDatapath, host: Host, deviceName: string, frame: Uint8Array): boolean {
  const device = datapath.devicesOf(host).find(({ name, up }) => name === deviceName && up);
  const packet = device === undefined ? undefined : host.memory.allocate(frame.length);
  if (device === undefined || packet === undefined) return false;
  host.memory.bytes.set(frame, packet.offset);
  device.transmit(packet);
  return true;
}

class CaptureSocket implements PacketSocket {
  private readonly capture: Capture;
  private readonly toWallClockNs = wallClockNs();
  private closed = false;
  private wake: (() => void) | undefined;

  constructor(capture: Capture) {
    this.capture = capture;
    capture.queue.onFrames = () => this.wake?.();
  }

  async next(): Promise<readonly SeenFrame[] | undefined> {
    for (;;) {
      const frames = this.capture.queue.take(BATCH_BYTES);
      if (frames.length > 0) return frames.flatMap((frame) => this.seen(frame));
      if (this.closed) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  counters(): { readonly received: number; readonly dropped: number } {
    return { received: this.capture.received, dropped: this.capture.queue.dropped };
  }

  close(): void {
    this.closed = true;
    this.capture.stop();
    this.wake?.();
  }

  private seen({ device, timeUs, bytes, wireBytes, outbound }: CapturedFrame): SeenFrame[] {
    if (device === null) return [];
    const timestampNs = this.toWallClockNs(timeUs);
    return [{ deviceName: device.name, deviceIndex: device.index, timestampNs, bytes, wireBytes, outbound }];
  }
}
