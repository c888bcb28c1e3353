/** What all faulty links over one packet memory may hold. */
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';

/** What a node needs of packet memory besides: packets on their way, and areas to receive into. */
const SHARE_HELD = 0.5;

export class HoldingBound {
  private readonly mostPackets: number;
  private readonly mostSuperSegments: number;
  private packets = 0;
  private superSegments = 0;

  constructor({ capacity, largeSlots }: PacketMemory) {
    this.mostPackets = Math.floor(capacity * SHARE_HELD);
    this.mostSuperSegments = Math.floor(largeSlots * SHARE_HELD);
  }

  /** Packets held now. */
  get held(): number {
    return this.packets;
  }

  /** Whether there is room for one more super-segment as a whole. */
  get hasRoomForSuperSegment(): boolean {
    return this.superSegments < this.mostSuperSegments;
  }

  /** False: there is no room. */
  hold({ segmentBytes }: Packet): boolean {
    if (this.packets >= this.mostPackets) return false;
    this.packets++;
    if (segmentBytes > 0) this.superSegments++;
    return true;
  }

  letGo({ segmentBytes }: Packet): void {
    this.packets--;
    if (segmentBytes > 0) this.superSegments--;
  }
}
