/**
 * Byte streams over the bus, for exec, attach, logs and port-forward: channels, each with its own flow control.
 *
 *   client -- open: request, inbox --> server            both then publish frames to the other's inbox
 *
 * A sender has a credit of WINDOW_BYTES a channel; the receiver gives back what was consumed. A peer that died is noticed by
 * its missing subscription within a ping, one that hangs by its silence, a lost frame by the gap in the sequence.
 */

import { createInbox, type Msg, type Subscription } from 'nats';
import { isJsonObject } from '../api/object.ts';
import { BusUnavailableError, errorFromFailure, failureFromError } from './bus-error.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import type { Bus, BusSubscription } from './connection.ts';
import { UnexpectedMessageError } from './message-fields.ts';
import { decodeCredit, decodeFrame, encodeCredit, encodeFrame, type Frame, type FrameType } from './stream-frame.ts';
import { requestSubject, type StreamSubject, type SubjectParameters } from './subjects.ts';

/** May return a promise: the bytes count as consumed once it resolves, which is the back-pressure. */
export type StreamDataListener = (channel: number, data: Uint8Array) => void | Promise<void>;

export interface ChannelStream {
  /** Resolves when the bytes have left within the credit. Rejects when the stream is closed. */
  send(channel: number, data: Uint8Array): Promise<void>;
  /** No more data on this channel, after what was sent before. */
  end(channel: number): void;
  /** One listener; what arrived earlier is delivered to it. Until it is there, a stream with such bytes stays open. */
  onData(listener: StreamDataListener): void;
  onEnd(listener: (channel: number) => void): void;
  /** Closes both ways; what `send` has resolved for still arrives. An error arrives as RemoteError. */
  close(error?: Error): void;
  /** Resolves when the stream is closed by either side or broken: with the reason, if it was not an orderly close. */
  readonly closed: Promise<Error | undefined>;
}

export interface OpenStreamOptions {
  /** How long the other side may take to accept; 10 s by default. */
  readonly timeoutMs?: number;
}

/** May be asynchronous; the stream is accepted when it returns and refused with what it throws. */
export type StreamHandler<Request> = (request: Request, stream: ChannelStream) => void | Promise<void>;

const WINDOW_BYTES = 256 * 1024;
/** Stays well below the smallest message limit of NATS servers. */
const CHUNK_BYTES = 32 * 1024;
const PING_MS = 1000;
const SILENCE_LIMIT_MS = 10_000;
/** After the connection came back, the peer may still be on its way. */
const RECONNECT_GRACE_MS = 3000;
const EMPTY = new Uint8Array();

/** Throws RemoteError when the other side refuses, BusUnavailableError, BusTimeoutError. */
export async function openStream<Request>(
  bus: Bus,
  subject: StreamSubject<Request>,
  parameters: SubjectParameters,
  request: Request,
  options: OpenStreamOptions = {},
): Promise<ChannelStream> {
  const stream = new BusStream(bus);
  try {
    const opening = { inbox: stream.inbox, request };
    const accepted = await bus.request(openingSubject(subject), parameters, opening, {
      timeoutMs: options.timeoutMs ?? 10_000,
    });
    stream.connectTo(accepted.inbox);
    return stream;
  } catch (error) {
    stream.abandon();
    throw error;
  }
}

export function serveStreams<Request>(
  bus: Bus,
  subject: StreamSubject<Request>,
  parameters: SubjectParameters,
  handler: StreamHandler<Request>,
): BusSubscription {
  return bus.serve(openingSubject(subject), parameters, async ({ inbox, request }) => {
    const stream = new BusStream(bus);
    stream.connectTo(inbox);
    try {
      await handler(request, stream);
    } catch (error) {
      stream.abandon();
      throw error;
    }
    return { inbox: stream.inbox };
  });
}

interface Opening<Request> {
  readonly inbox: string;
  readonly request: Request;
}

function openingSubject<Request>(subject: StreamSubject<Request>) {
  return requestSubject<Opening<Request>, { readonly inbox: string }>(
    subject.pattern,
    (value) => {
      const inbox = decodeInbox(value);
      return { inbox, request: subject.decodeRequest(isJsonObject(value) ? value.request : undefined) };
    },
    (value) => ({ inbox: decodeInbox(value) }),
  );
}

function decodeInbox(value: unknown): string {
  const inbox = isJsonObject(value) ? value.inbox : undefined;
  // Only inboxes: nobody can make this process publish to a subject of their choice.
  if (typeof inbox !== 'string' || !/^_INBOX\.[A-Za-z0-9.]+$/.test(inbox)) {
    throw new UnexpectedMessageError('a stream message names no inbox');
  }
  return inbox;
}

interface Outgoing {
  creditBytes: number;
  /** Sends of one channel go one after the other. */
  tail: Promise<void>;
  wake: (() => void) | undefined;
  ended: boolean;
}

interface Incoming {
  readonly queue: (Uint8Array | 'end')[];
  queuedBytes: number;
  consumedBytes: number;
  delivering: boolean;
}

class BusStream implements ChannelStream {
  readonly inbox = createInbox();
  readonly closed: Promise<Error | undefined>;
  private readonly bus: Bus;
  private readonly subscription: Subscription;
  private readonly stateSubscription: BusSubscription;
  private readonly outgoing = new Map<number, Outgoing>();
  private readonly incoming = new Map<number, Incoming>();
  private readonly settle: (error: Error | undefined) => void;
  private peer: string | undefined;
  private dataListener: StreamDataListener | undefined;
  private endListener: ((channel: number) => void) | undefined;
  private pingTimer: NodeJS.Timeout | undefined;
  private sentFrames = 0;
  private receivedFrames = 0;
  private heardAtMs = performance.now();
  private graceUntilMs = 0;
  private isClosed = false;
  /** The peer closed; `closed` resolves once all that arrived before was consumed. */
  private peerClosed: { readonly error: Error | undefined } | undefined;

  constructor(bus: Bus) {
    this.bus = bus;
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.closed = promise;
    this.settle = resolve;
    this.subscription = bus.nats.subscribe(this.inbox, { callback: (error, message) => this.receive(error, message) });
    this.stateSubscription = bus.onStateChange((state) => {
      if (state === 'connected') this.graceUntilMs = performance.now() + RECONNECT_GRACE_MS;
      else if (bus.nats.isClosed()) this.finish(new BusUnavailableError('this side closed its connection', true));
    });
  }

  connectTo(peer: string): void {
    this.peer = peer;
    this.heardAtMs = performance.now();
    if (this.isClosed) return;
    this.pingTimer = setInterval(() => this.ping(), PING_MS);
    for (const channel of this.incoming.keys()) this.grantCredit(channel);
  }

  send(channel: number, data: Uint8Array): Promise<void> {
    const outgoing = this.outgoingOf(channel);
    if (outgoing.ended) return Promise.reject(new Error(`channel ${channel} has ended`));
    const sent = outgoing.tail.then(() => this.sendChunks(channel, outgoing, data));
    outgoing.tail = sent.catch((error: unknown) => this.bus.log.trace({ error, channel }, 'bytes were not sent'));
    return sent;
  }

  end(channel: number): void {
    const outgoing = this.outgoingOf(channel);
    if (outgoing.ended) return;
    outgoing.ended = true;
    outgoing.tail = outgoing.tail.then(() => {
      if (!this.isClosed) this.sendFrame('end', channel, EMPTY);
    });
  }

  onData(listener: StreamDataListener): void {
    this.dataListener = listener;
    for (const channel of this.incoming.keys()) void this.deliver(channel);
  }

  onEnd(listener: (channel: number) => void): void {
    this.endListener = listener;
    for (const channel of this.incoming.keys()) void this.deliver(channel);
  }

  close(error?: Error): void {
    if (this.isClosed) return;
    this.sendFrame('close', 0, error === undefined ? EMPTY : encodeMessage(failureFromError(error)));
    this.finish(error);
  }

  /** Ends a stream that never came about. */
  abandon(): void {
    this.finish(undefined);
  }

  private outgoingOf(channel: number): Outgoing {
    let outgoing = this.outgoing.get(channel);
    if (outgoing === undefined) {
      outgoing = { creditBytes: WINDOW_BYTES, tail: Promise.resolve(), wake: undefined, ended: false };
      this.outgoing.set(channel, outgoing);
    }
    return outgoing;
  }

  private incomingOf(channel: number): Incoming {
    let incoming = this.incoming.get(channel);
    if (incoming === undefined) {
      incoming = { queue: [], queuedBytes: 0, consumedBytes: 0, delivering: false };
      this.incoming.set(channel, incoming);
    }
    return incoming;
  }

  private async sendChunks(channel: number, outgoing: Outgoing, data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length; ) {
      if (this.isClosed || this.peerClosed !== undefined) throw new Error('the stream is closed');
      const length = Math.min(CHUNK_BYTES, data.length - offset, outgoing.creditBytes);
      if (length === 0) {
        await new Promise<void>((resolve) => {
          outgoing.wake = resolve;
        });
        continue;
      }
      outgoing.creditBytes -= length;
      this.sendFrame('data', channel, data.subarray(offset, offset + length));
      offset += length;
    }
  }

  private sendFrame(type: FrameType, channel: number, payload: Uint8Array, reply?: string): void {
    if (this.peer === undefined || this.bus.nats.isClosed()) return;
    this.bus.nats.publish(this.peer, encodeFrame(type, channel, ++this.sentFrames, payload), { reply });
  }

  /** The reply subject is our own inbox: there the server reports that nobody listens at the peer's. */
  private ping(): void {
    if (performance.now() - this.heardAtMs > SILENCE_LIMIT_MS) {
      this.break('the other side of the stream fell silent');
    } else {
      this.sendFrame('ping', 0, EMPTY, this.inbox);
    }
  }

  private receive(error: Error | null, message: Msg): void {
    if (this.isClosed) return;
    if (error !== null) {
      this.break(error.message);
    } else if (message.headers?.code === 503) {
      if (performance.now() > this.graceUntilMs) this.break('the other side of the stream is gone');
    } else {
      const frame = decodeFrame(message.data);
      if (frame !== undefined) this.receiveFrame(frame);
    }
  }

  private receiveFrame(frame: Frame): void {
    this.heardAtMs = performance.now();
    if (frame.sequence !== (this.receivedFrames + 1) >>> 0) {
      this.break('part of the stream was lost');
      return;
    }
    this.receivedFrames = frame.sequence;
    switch (frame.type) {
      case 'data':
        this.receiveData(frame);
        break;
      case 'end':
        this.incomingOf(frame.channel).queue.push('end');
        void this.deliver(frame.channel);
        break;
      case 'credit':
        this.receiveCredit(frame);
        break;
      case 'close':
        this.receiveClose(frame);
        break;
      case 'ping':
        break;
    }
  }

  private receiveData({ channel, payload }: Frame): void {
    const incoming = this.incomingOf(channel);
    incoming.queuedBytes += payload.length;
    if (incoming.queuedBytes > WINDOW_BYTES) {
      this.break('the other side of the stream ignores the flow control');
      return;
    }
    incoming.queue.push(payload);
    void this.deliver(channel);
  }

  private receiveCredit({ channel, payload }: Frame): void {
    const outgoing = this.outgoingOf(channel);
    outgoing.creditBytes = Math.min(WINDOW_BYTES, outgoing.creditBytes + decodeCredit(payload));
    outgoing.wake?.();
    outgoing.wake = undefined;
  }

  private receiveClose({ payload }: Frame): void {
    const error = payload.length === 0 ? undefined : errorFromFailure(decodeMessage(payload));
    this.peerClosed = { error };
    clearInterval(this.pingTimer);
    this.wakeSenders();
    this.finishWhenConsumed();
  }

  private async deliver(channel: number): Promise<void> {
    const incoming = this.incomingOf(channel);
    if (incoming.delivering) return;
    incoming.delivering = true;
    try {
      for (let next = this.takeNext(incoming); next !== undefined; next = this.takeNext(incoming)) {
        if (next === 'end') {
          this.endListener?.(channel);
          continue;
        }
        const consumed = this.dataListener?.(channel, next);
        if (consumed !== undefined) await consumed;
        incoming.queuedBytes -= next.length;
        incoming.consumedBytes += next.length;
        if (incoming.consumedBytes >= WINDOW_BYTES / 4) this.grantCredit(channel);
      }
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    } finally {
      incoming.delivering = false;
    }
    this.finishWhenConsumed();
  }

  /** Undefined when there is nothing, or nobody to give it to. */
  private takeNext({ queue }: Incoming): Uint8Array | 'end' | undefined {
    const listener = queue[0] === 'end' ? this.endListener : this.dataListener;
    return this.isClosed || listener === undefined ? undefined : queue.shift();
  }

  private grantCredit(channel: number): void {
    const incoming = this.incomingOf(channel);
    if (incoming.consumedBytes === 0 || this.peer === undefined || this.isClosed) return;
    this.sendFrame('credit', channel, encodeCredit(incoming.consumedBytes));
    incoming.consumedBytes = 0;
  }

  private finishWhenConsumed(): void {
    if (this.peerClosed === undefined) return;
    for (const { queue, delivering } of this.incoming.values()) {
      if (delivering || queue.some((item) => item !== 'end')) return;
    }
    this.finish(this.peerClosed.error);
  }

  private break(reason: string): void {
    this.close(new BusUnavailableError(reason, true));
  }

  private finish(error: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.pingTimer);
    this.stateSubscription.unsubscribe();
    if (!this.bus.nats.isClosed()) this.subscription.unsubscribe();
    this.wakeSenders();
    this.settle(error);
  }

  private wakeSenders(): void {
    for (const outgoing of this.outgoing.values()) {
      outgoing.wake?.();
      outgoing.wake = undefined;
    }
  }
}
