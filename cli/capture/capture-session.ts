/**
 * Captures of several nodes as one pcapng file:
 *
 *   node: stream -> pcapng-reader --\
 *   node: stream -> pcapng-reader ---> order of time -> names of the ends -> one section, interfaces numbered anew -> output
 *
 * A node that others wait for is asked; what it has seen until then comes first, and then its counters with the time.
 * A slow output stops the credit of the streams; then the nodes' queues fill, and what finds no room there is counted.
 */
import type { Bus } from '../../shared/bus/connection.ts';
import { type ChannelStream, openStream } from '../../shared/bus/stream.ts';
import { NODE_STREAM, STREAM_CHANNEL } from '../../shared/bus/subjects.ts';
import { enhancedPacket, interfaceDescription, interfaceStatistics, sectionHeader } from '../../shared/wire/pcap.ts';
import { PcapngReader, type ReadInterface, type ReadStatistics } from '../../shared/wire/pcapng-reader.ts';
import { messageOf, UserError } from '../user-error.ts';
import type { AddressNames } from './address-names.ts';
import type { NodeTarget } from './capture-targets.ts';
import { type Arrival, TimeOrder } from './time-order.ts';

export interface CaptureSessionOptions {
  readonly bus: Bus;
  readonly targets: readonly NodeTarget[];
  readonly names: AddressNames;
  /** Packets after which the capture ends. */
  readonly count?: number;
  /** Resolves when the bytes are taken. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly warn: (message: string) => void;
}

export interface CaptureCounters {
  readonly captured: number;
  readonly received: number;
  readonly dropped: number;
  /** False where the capture was given up before the nodes had told their last counts. */
  readonly final: boolean;
}

const FLUSH_MS = 50;
/** What it says does not matter. */
const QUESTION = new Uint8Array(1);

interface NodeSource {
  readonly node: string;
  readonly stream: ChannelStream;
  readonly reader: PcapngReader;
  /** Its interfaces by their own numbers -> in the file. */
  readonly ids: Map<number, number>;
  /** How far it is, and has not answered. */
  isAsked: boolean;
  received: number;
  dropped: number;
}

export class CaptureSession {
  private readonly options: CaptureSessionOptions;
  private readonly order = new TimeOrder<NodeSource>();
  private sources: NodeSource[] = [];
  private interfaces = 0;
  private captured = 0;
  private begun = false;
  private stopped = false;
  private aborted = false;
  /** Writes go one after the other. */
  private output: Promise<void> = Promise.resolve();

  constructor(options: CaptureSessionOptions) {
    this.options = options;
  }

  /** Resolves once every node that accepts captures. Throws UserError when none does. */
  async start(): Promise<void> {
    const { targets, warn } = this.options;
    const refusals: string[] = [];
    const opened = await Promise.all(
      targets.map(async (target) => {
        try {
          return await this.open(target);
        } catch (error) {
          refusals.push(`${target.node}: ${messageOf(error)}`);
          return undefined;
        }
      }),
    );
    this.sources = opened.filter((source) => source !== undefined);
    if (this.sources.length === 0) throw new UserError(refusals[0] ?? 'there is no node to capture on');
    for (const refusal of refusals) warn(refusal);
    // The reader left meanwhile.
    if (this.stopped) this.abort();
  }

  /** Until `stop`, the count, or the end of all nodes. */
  async finish(): Promise<CaptureCounters> {
    const timer = setInterval(() => {
      void this.flush(this.order.takeDue(performance.now()));
      for (const source of this.order.behind()) this.ask(source);
    }, FLUSH_MS);
    const ends = await Promise.all(this.sources.map((source) => this.endOf(source)));
    clearInterval(timer);
    for (const { node, error } of ends) if (error !== undefined) this.options.warn(`${node}: ${error.message}`);
    await this.flush(this.order.takeAll());
    await this.writeStatistics();
    return this.counters;
  }

  private get counters(): CaptureCounters {
    const sum = (count: (source: NodeSource) => number): number =>
      this.sources.reduce((total, source) => total + count(source), 0);
    return {
      captured: this.captured,
      received: sum(({ received }) => received),
      dropped: sum(({ dropped }) => dropped),
      final: !this.aborted,
    };
  }

  /** The nodes send what waits there, and their counters. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    for (const { stream } of this.sources) stream.end(STREAM_CHANNEL.stdin);
  }

  /** At once, without what waits. */
  abort(): void {
    this.stopped = true;
    this.aborted = true;
    for (const { stream } of this.sources) stream.close();
  }

  private async open({ node, request }: NodeTarget): Promise<NodeSource> {
    const stream = await openStream(this.options.bus, NODE_STREAM, { node }, request);
    this.begin();
    const reader = new PcapngReader();
    const source = { node, stream, reader, ids: new Map(), isAsked: false, received: 0, dropped: 0 };
    this.order.open(source);
    stream.onData((channel, data) => (channel === STREAM_CHANNEL.stdout ? this.take(source, data) : undefined));
    return source;
  }

  /** The file's beginning, once there is a capture. */
  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    void this.enqueue([sectionHeader('podwire')]);
  }

  private async endOf(source: NodeSource): Promise<{ readonly node: string; readonly error: Error | undefined }> {
    const error = await source.stream.closed;
    this.order.close(source);
    return { node: source.node, error };
  }

  private ask(source: NodeSource): void {
    if (source.isAsked || this.stopped) return;
    source.isAsked = true;
    // One that cannot be asked is at its end.
    source.stream.send(STREAM_CHANNEL.stdin, QUESTION).catch(() => this.order.close(source));
  }

  private async take(source: NodeSource, data: Uint8Array): Promise<void> {
    const descriptions: Uint8Array[] = [];
    for (const item of source.reader.push(data)) {
      if (item.kind === 'interface') descriptions.push(this.describe(source, item.interface));
      else if (item.kind === 'statistics') this.count(source, item);
      else this.order.push({ source, packet: item }, performance.now());
    }
    if (descriptions.length > 0) void this.enqueue(descriptions);
    if (this.order.full) await this.flush(this.order.takeAll());
    else await this.output;
  }

  private describe(source: NodeSource, { id, name, description }: ReadInterface): Uint8Array {
    source.ids.set(id, this.interfaces++);
    return interfaceDescription({ name: name ?? source.node, description });
  }

  private count(source: NodeSource, { accepted, dropped, timestampNs }: ReadStatistics): void {
    source.received = accepted;
    source.dropped = dropped;
    source.isAsked = false;
    this.order.advance(source, timestampNs);
  }

  private flush(arrivals: readonly Arrival<NodeSource>[]): Promise<void> {
    const limit = this.options.count ?? Number.POSITIVE_INFINITY;
    const wanted = arrivals.slice(0, Math.max(0, limit - this.captured));
    this.captured += wanted.length;
    if (this.captured >= limit) this.stop();
    return this.enqueue(wanted.map((arrival) => this.encode(arrival)));
  }

  private encode({ source, packet }: Arrival<NodeSource>): Uint8Array {
    const comments = [this.options.names.ends(packet.bytes), packet.comment];
    return enhancedPacket({
      interfaceId: source.ids.get(packet.interface.id) ?? 0,
      timestampNs: packet.timestampNs,
      bytes: packet.bytes,
      originalBytes: packet.wireBytes,
      direction: packet.direction,
      comment: comments.filter((part) => part !== undefined).join('; ') || undefined,
    });
  }

  private enqueue(blocks: readonly Uint8Array[]): Promise<void> {
    if (blocks.length > 0) {
      const bytes = Buffer.concat(blocks);
      this.output = this.output.then(() => this.options.write(bytes));
    }
    return this.output;
  }

  private async writeStatistics(): Promise<void> {
    if (this.interfaces === 0) return;
    const timestampNs = BigInt(Date.now()) * 1_000_000n;
    const { captured: delivered, received: accepted, dropped } = this.counters;
    await this.enqueue([interfaceStatistics({ interfaceId: 0, timestampNs, accepted, dropped, delivered })]);
  }
}
