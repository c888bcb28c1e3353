/** A link round another one: what is sent to a peer with a fault goes through its queue first. */
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../link.ts';
import type { FaultQueue } from './fault-queue.ts';

export class FaultyLink implements UnderlayLink {
  private readonly inner: UnderlayLink;
  private readonly queues: (FaultQueue | undefined)[] = [];

  constructor(inner: UnderlayLink) {
    this.inner = inner;
  }

  get local(): LinkEndpoint {
    return this.inner.local;
  }

  get onReceive(): UnderlayLink['onReceive'] {
    return this.inner.onReceive;
  }

  set onReceive(receive: UnderlayLink['onReceive']) {
    this.inner.onReceive = receive;
  }

  /** The queue's output is `sendPast`. Undefined: packets go straight on. */
  setQueue(peer: PeerId, queue: FaultQueue | undefined): void {
    this.queues[peer] = queue;
  }

  takesSuperSegments(peer: PeerId): boolean {
    if (this.queues[peer]?.takesSuperSegments === false) return false;
    return this.inner.takesSuperSegments?.(peer) === true;
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    return this.inner.addPeer(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.queues[peer]?.discard();
    this.queues[peer] = undefined;
    this.inner.removePeer(peer);
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    const queue = this.queues[peer];
    if (queue === undefined) this.inner.send(peer, datagrams);
    else queue.enqueueAll(datagrams);
  }

  /** Past the fault. */
  sendPast(peer: PeerId, datagrams: readonly Packet[]): void {
    this.inner.send(peer, datagrams);
  }

  close(): void {
    for (const queue of this.queues.splice(0)) queue?.discard();
    this.inner.close();
  }
}
