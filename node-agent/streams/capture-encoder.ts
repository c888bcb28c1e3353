/** Captured frames as pcapng: an interface for each device of a namespace, and one for what the namespace dropped. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import { enhancedPacket, interfaceDescription, interfaceStatistics, sectionHeader } from '../../shared/wire/pcap.ts';
import type { Capture, CapturePlace } from '../datapath/capture/capture.ts';
import type { CapturedFrame } from '../datapath/capture/capture-queue.ts';

export interface CaptureEncoderOptions {
  readonly snapBytes: number | undefined;
  readonly toWallClockNs: (monotonicUs: number) => bigint;
  /** The pod at the other end of a device, if one is. */
  readonly podOf: (device: NetDevice) => string | undefined;
}

const DROPPED = 'dropped';

export class CaptureEncoder {
  private readonly options: CaptureEncoderOptions;
  /** By the names of interfaces. */
  private readonly ids = new Map<string, number>();
  /** The same, found without making a name for each frame. */
  private readonly idsOfDevices = new WeakMap<NetDevice, number>();

  constructor(options: CaptureEncoderOptions) {
    this.options = options;
  }

  header(): Uint8Array {
    return sectionHeader('podwire');
  }

  /** The interface's block, when this is the first that is heard of it. */
  describe(place: CapturePlace, device: NetDevice | null): Uint8Array[] {
    const name = nameOf(place, device);
    if (this.ids.has(name)) return [];
    this.ids.set(name, this.ids.size);
    const { snapBytes } = this.options;
    return [interfaceDescription({ name, description: this.descriptionOf(place, device), snapBytes })];
  }

  /** With the block of its interface before it, if that is new. */
  encode(frame: CapturedFrame): Uint8Array[] {
    const { place, device, outbound, bytes, wireBytes, comment, timeUs } = frame;
    const known = device === null ? undefined : this.idsOfDevices.get(device);
    const before = known === undefined ? this.describe(place, device) : [];
    const interfaceId = known ?? this.ids.get(nameOf(place, device))!;
    if (device !== null && known === undefined) this.idsOfDevices.set(device, interfaceId);
    const packet = enhancedPacket({
      interfaceId,
      timestampNs: this.options.toWallClockNs(timeUs),
      bytes,
      originalBytes: wireBytes,
      direction: device === null ? undefined : outbound ? 'outbound' : 'inbound',
      comment: comment === '' ? undefined : comment,
    });
    return before.length === 0 ? [packet] : [...before, packet];
  }

  /** The counters of the whole capture so far, on its first interface. */
  statistics(capture: Capture, nowUs: number): Uint8Array[] {
    if (this.ids.size === 0) return [];
    const { received, queue } = capture;
    const timestampNs = this.options.toWallClockNs(nowUs);
    const counters = { accepted: received, dropped: queue.dropped, delivered: received - queue.dropped };
    return [interfaceStatistics({ interfaceId: 0, timestampNs, ...counters })];
  }

  private descriptionOf(place: CapturePlace, device: NetDevice | null): string {
    if (device === null) return `packets that went no further in ${place.name}; each comment says where and why`;
    const pod = this.options.podOf(device);
    if (pod !== undefined) return `${device.kind} to ${pod}`;
    const addresses = place.host.interfaces.get(device)?.addresses.map(({ address }) => formatIpv4(address)) ?? [];
    return [device.kind, ...addresses].join(' ');
  }
}

function nameOf(place: CapturePlace, device: NetDevice | null): string {
  return `${place.name} ${device?.name ?? DROPPED}`;
}
