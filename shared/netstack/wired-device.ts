/** What devices have in common that send over a wire of their own: who they are, and the qdisc that may stand before the wire. */
import type { Packet } from '../wire/packet-memory.ts';
import {
  type DeviceCounters,
  type FrameTap,
  type FrameUpcall,
  type NetDevice,
  type QueueDiscipline,
  type QueuedDevice,
  zeroCounters,
} from './device.ts';
import { SUPER_SEGMENT_BYTES } from './super-segment.ts';

export interface WiredDeviceOptions {
  readonly name: string;
  readonly index: number;
  /** 0 of a device without link addresses. */
  readonly macAddress: number;
  readonly mtuBytes: number;
}

export abstract class WiredDevice implements NetDevice, QueuedDevice {
  abstract readonly kind: NetDevice['kind'];
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes: number;
  up = true;
  upcall: FrameUpcall | null = null;
  tap: FrameTap | null = null;
  qdisc: QueueDiscipline | null = null;

  constructor({ name, index, macAddress, mtuBytes }: WiredDeviceOptions) {
    this.name = name;
    this.index = index;
    this.macAddress = macAddress;
    this.mtuBytes = mtuBytes;
  }

  get superSegmentBytes(): number {
    return this.qdisc === null || this.qdisc.takesSuperSegments ? SUPER_SEGMENT_BYTES : 0;
  }

  transmit(frame: Packet): void {
    if (this.qdisc === null) this.transmitNow(frame);
    else this.qdisc.enqueue(frame);
  }

  abstract transmitNow(frame: Packet): void;
  abstract receive(frame: Packet): void;
}
