/** A cable between two hosts with the faults of a link: a veth pair, and before each end the queue that nodes have there. */
import { FaultQueue } from '../../node-agent/datapath/faults/fault-queue.ts';
import { FRAMES } from '../../node-agent/datapath/faults/framing.ts';
import type { HoldingBound } from '../../node-agent/datapath/faults/holding-bound.ts';
import type { Engine } from '../../shared/netstack/engine.ts';
import { createVethPair, type VethDevice, type VethOptions } from '../../shared/netstack/veth.ts';
import { type ImpairmentChange, mergeImpairment } from '../../shared/rules/impairment.ts';
import type { FaultCounters } from '../../shared/rules/link-fault.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';

export interface CableOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly bound: HoldingBound;
  readonly seed: number;
  readonly ends: readonly [VethOptions, VethOptions];
}

export class Cable {
  readonly ends: readonly [VethDevice, VethDevice];
  private readonly queues: readonly FaultQueue[];
  private readonly memory: PacketMemory;
  /** Frames that left, of both directions. */
  frames = 0;
  /** Which of them is lost, counted from 0; -1 where none is. */
  lostFrame = -1;

  constructor(options: CableOptions) {
    const { engine, memory, ends } = options;
    this.memory = memory;
    this.ends = createVethPair(engine, memory, ...ends);
    this.queues = this.ends.map((end, side) => queueBefore(end, side, options, (frame) => this.transmit(end, frame)));
  }

  /** Of both directions; what is not named stays. */
  impair(change: ImpairmentChange): void {
    for (const queue of this.queues) queue.impairment = mergeImpairment(queue.impairment, change);
  }

  /** Of what leaves by each end. */
  get counters(): readonly FaultCounters[] {
    return this.queues.map(({ counters }) => counters);
  }

  private transmit(end: VethDevice, frame: Packet): void {
    if (this.frames++ === this.lostFrame) this.memory.free(frame);
    else end.transmitNow(frame);
  }
}

function queueBefore(
  end: VethDevice,
  side: number,
  options: CableOptions,
  transmit: (frame: Packet) => void,
): FaultQueue {
  const { engine, memory, bound, seed } = options;
  const queue = new FaultQueue({
    engine,
    memory,
    bound,
    seed: seed + side,
    where: end.name,
    framing: FRAMES,
    observer: { tracer: null, dropped: () => undefined },
    output: (packets) => {
      for (const packet of packets) transmit(packet);
    },
  });
  end.qdisc = queue;
  return queue;
}
