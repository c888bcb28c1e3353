/**
 * A network device as Linux knows it: something that frames leave through and arrive from.
 * Devices wrap and join devices (veth pairs, bridge ports, VXLAN over a link, fault injection round any of them).
 */
import type { Packet } from '../wire/packet-memory.ts';
import type { FrameReceiver } from './engine.ts';

export interface DeviceCounters {
  rxPackets: number;
  rxBytes: number;
  rxDropped: number;
  txPackets: number;
  txBytes: number;
  txDropped: number;
}

export function zeroCounters(): DeviceCounters {
  return { rxPackets: 0, rxBytes: 0, rxDropped: 0, txPackets: 0, txBytes: 0, txDropped: 0 };
}

/** What takes the frames that arrive on a device: the host's own stack, or the bridge the device is a port of. */
export interface FrameUpcall {
  input(device: NetDevice, frame: Packet): void;
}

/** Stands before a device's wire and says when a frame goes on it, if at all (Linux' queueing discipline). */
export interface QueueDiscipline {
  /** False: what it holds, loses or changes must meet each segment by itself. */
  readonly takesSuperSegments: boolean;
  /** Takes ownership. */
  enqueue(frame: Packet): void;
}

/** A device that lets one stand before its wire. */
export interface QueuedDevice {
  readonly name: string;
  qdisc: QueueDiscipline | null;
  /** Puts a frame on the wire past the qdisc; takes ownership. */
  transmitNow(frame: Packet): void;
}

/** Sees the frames of a device as a packet socket does; null on a device that nobody captures from. */
export interface FrameTap {
  /** `frame` starts at the Ethernet header and is only lent; a trusted packet's transport checksum may be stale. */
  frame(device: NetDevice, frame: Packet, outbound: boolean): void;
}

/** `receive` is the arriving side (from the backlog or from a link); it counts and passes the frame to `upcall`. */
export interface NetDevice extends FrameReceiver {
  /** `eth0`, `cni0`, `veth1a2b3c4d`, `flannel.1`. */
  readonly name: string;
  /** Linux' ifindex, unique within a host. */
  readonly index: number;
  readonly kind:
    | 'loopback'
    | 'veth'
    | 'bridge'
    | 'vxlan'
    | 'geneve'
    | 'ethernet'
    | 'ipip'
    | 'tap'
    | 'tun'
    | 'dummy'
    | 'wireguard';
  /** 48-bit address as a number (exact below 2^53). */
  readonly macAddress: number;
  mtuBytes: number;
  up: boolean;
  readonly counters: DeviceCounters;
  upcall: FrameUpcall | null;
  /** Told of each frame that leaves or arrives. */
  tap: FrameTap | null;
  /**
   * Payload bytes of the largest TCP super-segment the device takes as one frame (`Packet.segmentBytes` says how to cut it);
   * 0 when every frame must fit the MTU.
   */
  readonly superSegmentBytes: number;
  /** A frame leaves through the device, Ethernet header included; takes ownership. */
  transmit(frame: Packet): void;
}
