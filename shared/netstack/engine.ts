/**
 * The engine of one process: the time, the timers and the backlog that all hosts and devices in it share.
 *
 *   edge (socket readable, timer fired, a program wrote) -> engine.enter(now) -> devices and hosts -> engine.drain()
 *
 * Time is an input: nothing below the edge reads a clock. A device never calls into the host on its other end directly;
 * it puts the frame on the backlog, so that no stack is ever entered while it is inside itself (Linux does the same with
 * its per-CPU backlog), and so that the order of events is a function of the inputs alone.
 */
import type { Packet } from '../wire/packet-memory.ts';

/** Receives frames from the backlog: a device's input side. */
export interface FrameReceiver {
  receive(frame: Packet): void;
}

export interface TimerHandle {
  readonly deadlineUs: number;
  cancel(): void;
}

export interface EngineOptions {
  /** Uniform in [0, 1); seeded in simulations. */
  readonly random: () => number;
  /** Frames the backlog may hold before new ones are dropped; 16384 by default. */
  readonly backlogFrames?: number;
}

export interface Engine {
  /** Microseconds, monotonic; set by `enter`. */
  readonly nowUs: number;
  readonly random: () => number;
  /**
   * Sets the time and runs the timers that are due. Called by the edge at the start of each turn; inside a turn (a program's
   * callback that writes again) it does nothing.
   */
  enter(nowUs: number): void;
  /** Hands queued frames to their receivers until none is left. Called by the edge at the end of each turn; nests like `enter`. */
  drain(): void;
  /** Queues a frame for a receiver; false when the backlog is full (the caller drops the frame with a reason). */
  enqueue(receiver: FrameReceiver, frame: Packet): boolean;
  /** Calls `run` once `nowUs >= deadlineUs`. */
  schedule(deadlineUs: number, run: () => void): TimerHandle;
  /** The earliest pending deadline; Infinity when there is none. The edge arms one real timer with it. */
  nextDeadlineUs(): number;
  /**
   * Calls `flush` once, when `drain` has emptied the backlog: a link asks for it with the first frame it gathers in a turn
   * and then sends the whole batch.
   */
  onTurnEnd(flush: () => void): void;
}
