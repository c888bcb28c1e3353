import type { Packet } from '../../../shared/wire/packet-memory.ts';

/** Packets by the time they are released, in order of arrival where that is the same: a binary heap. */
export class ReleaseQueue {
  private readonly times: number[] = [];
  private readonly orders: number[] = [];
  private readonly packets: Packet[] = [];
  private arrived = 0;

  get length(): number {
    return this.packets.length;
  }

  /** Infinity when it is empty. */
  nextUs(): number {
    return this.times[0] ?? Number.POSITIVE_INFINITY;
  }

  add(packet: Packet, releaseUs: number): void {
    const order = this.arrived++;
    let at = this.packets.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.times[parent]! <= releaseUs) break; // what came earlier and leaves at the same time stays before
      this.move(parent, at);
      at = parent;
    }
    this.put(at, packet, releaseUs, order);
  }

  /** The next packet if it is due. */
  takeDue(nowUs: number): Packet | undefined {
    return this.nextUs() <= nowUs ? this.take() : undefined;
  }

  /** The next packet, due or not. */
  take(): Packet | undefined {
    const first = this.packets[0];
    const packet = this.packets.pop();
    if (first === undefined || packet === undefined) return undefined;
    const time = this.times.pop()!;
    const order = this.orders.pop()!;
    if (this.packets.length > 0) this.siftDown(packet, time, order);
    return first;
  }

  private siftDown(packet: Packet, time: number, order: number): void {
    const size = this.packets.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.before(child + 1, this.times[child]!, this.orders[child]!)) child++;
      if (!this.before(child, time, order)) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, packet, time, order);
  }

  private before(at: number, time: number, order: number): boolean {
    const own = this.times[at]!;
    return own < time || (own === time && this.orders[at]! < order);
  }

  private move(from: number, to: number): void {
    this.put(to, this.packets[from]!, this.times[from]!, this.orders[from]!);
  }

  private put(at: number, packet: Packet, time: number, order: number): void {
    this.packets[at] = packet;
    this.times[at] = time;
    this.orders[at] = order;
  }
}
